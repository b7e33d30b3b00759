# brain-cae-train and brain-cae-evaluate on a CPU; docs/install.md says how to build and run it.
# Base image, Python and extras are the same in apptainer.def (tests/packaging/test_containers.py).

FROM python:3.11-slim-bookworm AS build

# Where pip finds packages, if not at its usual place: --build-arg PIP_EXTRA_INDEX_URL=…, as for a CPU build of PyTorch.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

RUN python -m venv /opt/brain_cae
ENV PATH=/opt/brain_cae/bin:$PATH
WORKDIR /source

# The dependencies first: this layer is kept while only the program changes.
COPY pyproject.toml constraints.txt ./
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
extras = project['optional-dependencies']; \
print(*project['dependencies'], *extras['strip'], *extras['sweep'], *extras['export'], sep='\n')" > requirements.txt \
    && pip install --constraint constraints.txt --requirement requirements.txt

COPY setup.py README.md LICENSE ./
COPY conf ./conf
COPY brain_cae ./brain_cae
RUN pip install --no-deps .


FROM python:3.11-slim-bookworm

LABEL org.opencontainers.image.title="brain_cae" \
      org.opencontainers.image.description="Learn healthy brains, find gliomas, and audit whether the answer can be believed" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="The brain_cae developers"

RUN groupadd --gid 1000 brain && useradd --uid 1000 --gid brain --create-home brain \
    && install --directory --owner=brain --group=brain /work
COPY --from=build /opt/brain_cae /opt/brain_cae

# Runs, cache and the key of pseudonyms lie in /work, which is mounted: they outlive the container.
ENV PATH=/opt/brain_cae/bin:$PATH \
    BRAIN_CAE_CACHE=/work/.cache \
    XDG_CONFIG_HOME=/work/.config \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /work
USER 1000:1000

HEALTHCHECK --interval=5m --timeout=1m CMD ["brain-cae-train", "--version"]
CMD ["brain-cae-train", "--help"]

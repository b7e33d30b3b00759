# %% [markdown]
# # Is my cohort confounded?
#
# You have a table: one row per subject, with a diagnosis, the score of some model, and how the subject was scanned.
# The model separates patients from controls with an AUROC of 0.9. May you publish that?
#
# Not before you know what the model has seen. If most patients were scanned on one scanner and most controls on
# another, a model that recognises scanners looks exactly like a model that recognises disease. This tutorial shows,
# on simulated tables whose truth we know, how to ask the question, what harmonisation can and cannot do about it, and
# what to write in the paper. No scans are needed, and it runs in about a minute.

# %% [markdown]
# ## A cohort without any disease
#
# We simulate twelve image features for 240 subjects from two scanners. Scanner B adds an offset to every feature, as
# scanners do. The disease changes them by `effect`. With `effect=0` **there is nothing to find**: patients and
# controls differ in their scanner only, and `confounding` says how strongly.

# %%
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline

import brain_cae
from brain_cae.api import TableAudit
from brain_cae.harmonise.combat import Combat

FEATURES = [f"feature_{number}" for number in range(12)]


def simulate(*, confounding: float, effect: float, subjects: int = 240) -> pd.DataFrame:
    """Return a cohort in which the scanner follows the diagnosis with probability ``(1 + confounding) / 2``."""
    random = np.random.default_rng(1)
    patient = np.arange(subjects) % 2 == 1
    follows = random.random(subjects) < (1 + confounding) / 2
    scanner_b = np.where(follows, patient, ~patient)
    values = random.standard_normal((subjects, len(FEATURES)))
    values += 0.8 * scanner_b[:, None] * random.choice([-1, 1], len(FEATURES))
    values += effect * patient[:, None] * random.choice([-1, 1], len(FEATURES))
    return pd.DataFrame(values, columns=FEATURES).assign(
        diagnosis=np.where(patient, "glioma", "control"),
        manufacturer=np.where(scanner_b, "B", "A"),
        field_strength_t=np.where(scanner_b, 3.0, 1.5),
    )


def score(cohort: pd.DataFrame, *steps: Combat) -> np.ndarray:
    """Return the probability of a glioma (subjects,), each predicted by a classifier that has not seen the subject."""
    # ComBat is a step of the classifier, fitted anew in each fold. The scanner's number travels in the last column.
    scanner = (cohort["manufacturer"] == "B").astype(float)
    rows = np.column_stack([cohort[FEATURES], scanner]) if steps else cohort[FEATURES].to_numpy()
    classifier = make_pipeline(*steps, LogisticRegression())
    return cross_val_predict(classifier, rows, cohort["diagnosis"] == "glioma", cv=5, method="predict_proba")[:, 1]


def audit(cohort: pd.DataFrame, probability: np.ndarray) -> TableAudit:
    """Audit the scores of a cohort; the columns of acquisition are known by their names."""
    table = cohort.drop(columns=FEATURES).assign(probability=probability)
    return brain_cae.audit_table(table, label="diagnosis", abnormal="glioma", score="probability")


def show(audited: TableAudit) -> None:
    """Print what matters."""
    area = audited.auroc
    print(f"AUROC {area.value:.2f} [{area.low:.2f}, {area.high:.2f}]   verdict: {audited.verdict}")
    for reason in audited.reasons[:2]:
        print("-", reason)


# %% [markdown]
# ## When the scanner gives the label
#
# Every patient was scanned on scanner B, every control on scanner A. The classifier is cross-validated properly;
# nothing leaks between folds. And there is no disease in these features.

# %%
separate = simulate(confounding=1.0, effect=0.0)
show(audit(separate, score(separate)))

# %% [markdown]
# A high AUROC, a narrow interval, and all of it is the scanner. The audit says `confounded`: no scanner was used for
# both classes, so nothing in this table could tell disease from scanner. No method of statistics can; only other
# scans can.
#
# Real cohorts are seldom as clear-cut. Here scanner B took most of the patients, but not all:

# %%
mixed = simulate(confounding=0.6, effect=0.0)
show(audit(mixed, score(mixed)))

# %% [markdown]
# Now both scanners hold both classes, and the audit can look *within* them: does the score still separate patients
# from controls among subjects of the same scanner? Without a disease it does not, or hardly. The scanner is
# associated with the diagnosis, and it moves the score: together they explain the result.
#
# ## When it does not
#
# The same disease-free features, but scanners are independent of the diagnosis, and then with a disease:

# %%
balanced = simulate(confounding=0.0, effect=0.0)
show(audit(balanced, score(balanced)))

# %%
ill = simulate(confounding=0.0, effect=0.4)
audited = audit(ill, score(ill))
show(audited)

# %% [markdown]
# About 0.5 where there is nothing, and a result that stands where there is a disease. `clear` says that the scanner is
# too weak an explanation for it. `cannot tell` would say that the cohort is too small to know, and how many subjects
# would do.
#
# The whole audit, with all tests, is one page:

# %%
print(audited.report("audit.html"))
for test in audited.tests:
    print(f"{test.name:28} {test.verdict}")

# %% [markdown]
# ## What harmonisation can do
#
# ComBat aligns location and scale of each feature between scanners. Here it learns from healthy subjects only, inside
# each fold, and the diagnosis is not in its model: a method that is told the diagnosis in order to "protect" it
# writes it into the features. In the mixed cohort without disease, it takes away most of what the classifier had
# learnt from the scanner:

# %%
show(audit(mixed, score(mixed, Combat())))

# %% [markdown]
# The AUROC falls towards 0.5, where it belongs. The verdict stays: scanner and diagnosis are associated, whatever is
# done to the features, and a rest of the scanner is left in the score. Where nothing was confounded, a disease
# survives harmonisation, and there is not much to gain:

# %%
show(audit(ill, score(ill, Combat())))

# %% [markdown]
# ## What it cannot do
#
# In the first cohort there is not a single healthy subject from scanner B. Nothing says what a healthy brain looks
# like there, so this ComBat leaves those subjects as they are, and the result stays what it was:

# %%
show(audit(separate, score(separate, Combat())))

# %% [markdown]
# Some implementations would align both scanners all the same, patients and all. That removes the disease together
# with the scanner, if there is one, and nobody could know how much of each. **Harmonisation is no remedy for a cohort
# without overlap.**
#
# ## What to write in the paper
#
# | verdict | write |
# |---|---|
# | `clear` | the figure, the verdict, and the audit's table as a supplement |
# | `at risk` | the AUROC *within* protocols as the main figure, the pooled one beside it, and how classes and scanners are associated |
# | `confounded` | no comparison between the classes. What remains: localisation, reconstruction, false alarms on healthy brains |
# | `cannot tell` | the figure as preliminary, and the number of subjects that the audit asks for |
#
# For example: *"Scanner and diagnosis were associated (all 120 patients were scanned on scanner B). The audit of
# brain_cae found no overlap of protocols between the classes; we therefore report no between-class performance."*
#
# A row per subject with its scanner, field strength, TR and TE costs little when the data are collected, and cannot
# be reconstructed later. Harmonise if you like, say how, and audit again.
#
# The same from the command line, for a table of your own: `brain-cae-evaluate audit.table=scores.csv`. To audit
# headers and labels before any model is trained: `brain-cae-evaluate audit_only=true dataset=folder
# dataset.root=/scans`.

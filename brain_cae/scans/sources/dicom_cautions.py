"""Cautions about a tree of DICOM: people and sessions that may be others than they seem, and series in doubt."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations

from brain_cae.scans.catalogue import Catalogue
from brain_cae.scans.contrast_rules import UNKNOWN
from brain_cae.scans.identity import Identity
from brain_cae.scans.sources.base import agreeing, counted, some
from brain_cae.scans.sources.series_choice import Taken, not_listed
from brain_cae.vocabulary import MODALITIES

# Of so many PatientIDs at most a person may have been scanned; more have the name and date of an anonymiser.
ONE_PERSON = 4
# Birth dates up to this year are those that anonymisers write for everybody.
LAST_REPLACED = "1900"


def cautions(
    used: Sequence[Taken],
    catalogue: Catalogue,
    identities: Mapping[str, Identity],
    read: Collection[tuple[str, str, str]],
) -> list[str]:
    """Return cautions about people and sessions, and about series in doubt: those of ``read`` alone are in use."""
    people: dict[str, list[Identity]] = {}
    for one in catalogue.series:
        people.setdefault(one.patient, []).append(identities[one.name])
    studies: dict[str, set[str]] = {}
    for one in catalogue.series:
        studies.setdefault(one.study, set()).add(one.patient)
    shared = [" and ".join(sorted(patients)) for study, patients in studies.items() if study and len(patients) > 1]
    divided, unordered = _sessions_in_doubt(used, identities)
    doubtful = [
        f"{taken.series.patient} {taken.modality}: {taken.contrast.doubt}"
        for taken in used
        if taken.contrast.doubt and (taken.series.patient, taken.session, taken.modality) in read
    ]
    kinds = Counter(taken.contrast.name for taken in used if taken.contrast.name not in MODALITIES)
    unknown = kinds.pop(UNKNOWN, 0)
    notes = counted(
        {
            "{subject has|subjects have} no PatientID that tells them apart; each study of theirs counts as a "
            "subject": sorted(catalogue.anonymous),
            "{subject has|subjects have} series without a PatientID, which count as {its own|their own} because they "
            "are of one study": sorted(catalogue.adopted),
            "{PatientID stands|PatientIDs stand} in scans of people with different names, birth dates, sexes or "
            "issuers of the number, who count as one subject each": sorted(
                name for name, known in people.items() if _are_several(known)
            ),
            "{group|groups} of PatientIDs {has|have} a name and a birth date in common, and {counts|count} as "
            "different people, in any role": _one_person(people),
            "{study has|studies have} series under several PatientIDs, which count as one subject each; correct the "
            "PatientIDs if they are of one person": sorted(shared),
            "{study is|studies are} divided into sessions, because {its|their} series are days apart": divided,
            "{subject has|subjects have} sessions that no date tells apart, whose order is unknown": unordered,
            "series {is|are} used in doubt": doubtful,
            "series {is|are} not in the table of series, which decides for {its|their} subject, and {is|are} left "
            "out": (not_listed(used)),
        }
    )
    if kinds:
        notes.append(
            f"{agreeing(kinds.total(), 'series {has|have} a contrast that is not used')}: "
            f"{some([f'{name} ({count})' for name, count in kinds.most_common()], 8)}."
        )
    if unknown:
        text = agreeing(unknown, "series {has|have} an unknown contrast")
        notes.append(f"{text}; dataset.write_series=… lists them with the reason.")
    return notes


def _sessions_in_doubt(used: Sequence[Taken], identities: Mapping[str, Identity]) -> tuple[list[str], list[str]]:
    """Return studies that are several sessions, and subjects with sessions that no date tells apart."""
    studies: dict[tuple[str, str], set[str]] = {}
    moments: dict[str, dict[str, set[str]]] = {}
    for one in used:
        studies.setdefault((one.series.patient, one.series.study), set()).add(one.session)
        identity = identities[one.series.name]
        known = moments.setdefault(one.series.patient, {}).setdefault(one.session, set())
        known |= {identity.moment} if identity.has_date else set()
    parted = [(patient, there) for (patient, study), there in studies.items() if study and len(there) > 1]
    divided = [f"{patient} ({', '.join(sorted(there))})" for patient, there in parted]
    starts = {patient: [min(known, default="") for known in there.values()] for patient, there in moments.items()}
    unordered = [name for name, each in starts.items() if len(each) > 1 and ("" in each or len({*each}) < len(each))]
    return sorted(divided), sorted(unordered)


def _are_several(known: Sequence[Identity]) -> bool:
    """Return whether headers of one patient seem to be of several people; names are spelt and change in many ways."""
    facts = [{getattr(one, name) for one in known} - {""} for name in ("birth", "sex", "issuer")]
    names = {one.name for one in known} - {frozenset()}
    return max(map(len, facts)) > 1 or any(_are_others(first, second) for first, second in combinations(names, 2))


def _are_others(first: frozenset[str], second: frozenset[str]) -> bool:
    """Return whether two names, given by their parts, have nothing in common, or other numbers: those of a study."""
    numbers = [{part for part in name if part.isdigit()} for name in (first, second)]
    return first.isdisjoint(second) or (all(numbers) and numbers[0].isdisjoint(numbers[1]))


def _one_person(people: Mapping[str, Sequence[Identity]]) -> list[str]:
    """Return the subjects who have a name and a birth date in common."""
    persons: dict[tuple[frozenset[str], str], set[str]] = {}
    for subject, known in people.items():
        for identity in known:
            if identity.name and identity.birth[:4] > LAST_REPLACED:
                persons.setdefault((identity.name, identity.birth), set()).add(subject)
    return [" and ".join(sorted(subjects)) for subjects in persons.values() if 1 < len(subjects) <= ONE_PERSON]

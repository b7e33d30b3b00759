"""What the free texts of a header name, in words of fixed lists: the texts themselves are not kept."""

import re

from brain_cae.scans.placeholders import anonymity

# A contrast agent in the words and abbreviations of scanners' users, and what takes one back: "T1 pre KM", "senza mdc",
# "bez kontrastu". Before and after a treatment, "post op", is something else, and so is the contrast of tissues.
AGENT = (
    r"contr(?:ast\w*)?|kontr(?:as\w*|aś\w*)?|gad(?:[ao]\w*)?|gd|ce|[mn]?k\.?[ml]|c?\.?m\.?d\.?[ck]|inj(?!ur)\w*|iniett\w*"
    r"|dotarem|clariscan|magnevist|omniscan|prohance|multihance|vueway|elucirem|primovist|eovist|dtpa"
    r"|dota(?:graf|spin|vist)|artirem|civ|ctte?"
)
NO = r"no|non|without|w/?o|w/out|ohne|sans|sin|sem|senza|zonder|geen|utan|uten|uden|ingen|ilman|bez|fără|fara"
BEFORE = r"pre|before|vor|avant|prima|antes|voor|före|før|przed|před|ennen"
OF = r"(?:(?:the|del|della|de|di|du|la|l'|iv|i\.v\.)[\s-]*)*"
WITHOUT = re.compile(
    rf"(?<![a-z])(?:(?:{NO}|{BEFORE}|s/)[\s-]*{OF}(?:{AGENT}|con|enh\w*|c)|o\.?\s?(?:k\.?m|kontr\w*)|s\.?m\.?d\.?c)(?![a-z])"
    r"|kontrasts\wz\w*|kontrasz?t\w*\sn[eé]lk[uü]l|(?<!\w)(?:без|до)\s(?:контраст\w*|к[ув](?!\w))"
    r"|(?:非|無|无|未)(?:造影|[增増][强強])|(?:造影|[增増][强強])(?:前|なし)|비조영|조영\s?전"
)
AFTER_TREATMENT = re.compile(
    r"(?:pr[eé]|p[oó]st?)[\s-]*(?:op|surg|x?rt|rad(?:iat|ioth|iosurg)|s[br][rs]t?(?![a-z])|chemo|treat|resect|biops|trauma)\w*"
)
TISSUE = re.compile(
    r"(?<![a-z])(?:white|wm|gr[ae]y|gm|tissue|high|low|multi|phase|mt|soft|image)[\s/-]*contrast|edge[\s-]*enh\w*"
)
NATIVE = re.compile(
    r"(?<![a-z])(?:pre|nat[ií][fv]\w*|unenhanced|(?<!w[/\s])w/?o|blan[ck]o|basale|n/?c|s/?c)(?![a-z])"
    r"|(?<![a-z])c-(?![\w-])|(?<=\s)-c(?![a-z])|平[扫掃]|[単單]純"
)
# Whole values, and words of a value, that say that no contrast agent was given: "0 ml", "None given", "Gadovist: no".
NO_AGENT = re.compile(
    r"[-.?0]*|0+[.,]?0*\s?(?:ml|cc|mmol)?|n|nc|n\.?/?a\.?|n\.?v\.?t\.?|-\s?c|c\s?-|off|false|pre|saline|nacl.*|plain"
    r"|nati[fv]e?"
)
# After an agent was given: "Gadovist 7 ml, no reaction".
HARMLESS = re.compile(
    r"(?<!\w)(?:no|without|w/o|nil)\s(?:\w+\s)?(?:reactions?|events?|complications?|issues?|allerg\w*|(?:side\s)?effects?"
    r"|extravas\w*)"
)
NEGATED = re.compile(
    rf"(?<!\w)(?:{NO}|none|not|nil|null|refus\w*|declin\w*|unenhanced|kein\w*|nein|nicht|aucune?|ningun\w*|nessun\w*"
    r"|nenhum\w*|n[aã]o|ne[ij]|nie|nem|hay\wr|yok|brak|нет|без)(?![\w-])|^[无無否]$"
)
ZERO_DOSE = re.compile(r"(?<![\d.,])0+(?:[.,]0+)?\s?(?:ml|cc)(?![a-z])")
# Where the body was scanned, in the codes of BodyPartExamined and the words of descriptions. The head goes first.
HEAD_WORDS = re.compile(
    r"head|brain|skull|crani|cerebr|(?<![a-z])neuro|kopf|sch(?:ae|ä)del|hirn|t[eê]te|cerveau|(?<![a-z])testa"
    r"|en[ck]ephal|encefal|cabe[zcç]a|c[eé]rebro"
)
ELSEWHERE = re.compile(
    r"spin(?:e(?!cho)|al)|lumb|lomb|cervic|zervi[kc]|thora[ckx]|dorsal|rachis|wirbel|colonna|columna|coluna|sacr(?:um|al)"
    r"|abdom|pelvi|prostat|extremity|(?<![a-z])(?:[lhb]ws|neck|hals|chest|becken|liver|leber|breast|mamma|heart|knees?"
    r"|knie|genou|shoulder|schulter|hips?|h(?:ue|ü)fte|wrist|hand|ankle|foot|feet|fu(?:ss|ß)|elbow|legs?|arms?|thigh)"
    r"(?![a-z])"
)
# Parts of the head, or beside it, of which an examination of the brain may have a scan of its own. As codes, they name
# the examination.
DETAIL = re.compile(
    rf"{ELSEWHERE.pattern}|(?<![a-z])(?:orbit\w*|(?:para|supra)?sellar?|pituit\w*|h[yi]po(?:ph|f)[yi]\w*|ipofisi|iacs?|iams?"
    r"|mastoid\w*|felsenbein\w*|temporal bones?|paranasal|nnh|tmj|carotid\w*|parot\w*)(?![a-z])"
)
HINTS = {
    "flair": r"flair|dark.?fluid|tirm.*(?:dark|fluid)",
    # Philips puts a letter in front: "sT1W_3D_TFE".
    "t1": r"(?<![a-z0-9])[esv]?t1|mp.?rage|bravo|mprage|spgr",
    "t2": r"(?<![a-z0-9])[esv]?t2(?!\s*\*|.?star|\s*flash)",
    "pd": r"(?<![a-z0-9])(?:pd|proton.?dens)",
    "angiogram": r"(?<![a-z])(?:tof|mra(?!c)|angio|mrv(?![a-z])|venog)",
    # A subtraction, a projection, a map, or a contrast computed from maps; "sub-01" is a subject.
    "computed": r"(?<![a-z])(?:sub(?!\s*-?\s*\d)|subtr\w*|m(?:in?|n)?ip|adc|map(?:s|it|ping)?|synth\w*|symri|magic)"
    r"(?![a-z])",
    # Scans to plan, calibrate or correct others, of diffusion or perfusion, with two inversions, of fat.
    "other": r"(?<![a-z])(?:loc(?:ali[sz]\w*|ator)?|scout|(?:coil\s?)?survey|smart\s?(?:brain|exam)|auto\s?align"
    r"|positioning|scanogram|prescan|not\s(?:for\s)?diagnostic|pilot|rep[eé]rage|3\s?-?pl(?:anes?)?(?!\s?mpr)"
    r"|cal(?:ib\w*)?|coca|mrac|ute|zte|ref(?:erence)?\s?scan|field\s?map|fmap|topup|b\s?=?\s?0|dwi|dti|tensor|diff|diff?us\w*"
    r"|dsc|dce|perf(?:us\w*)?|asl|dyn|d[iy]nam\w*|twist|tricks|cest|dir|double\s?inv\w*|inv\s?-?[12]|qalas|mrf"
    r"|dixon.*(?<![a-z])(?:f|opp?|out)|fat\s?(?:only|image)|out\s?-?(?:of\s?-?)?phase|opp(?:osed)?\s?-?phase)(?![a-z0-9])"
    r"|(?<![a-z])fat:|定位|位置決",
    "uniform": r"(?<![a-z])uni(?:t1)?(?![a-z])",
    # A perfusion with contrast agent, which is seldom recorded.
    "bolus": r"^(?!.*(?<![a-z])(?:[a-z]{0,2}asl|ivim)(?![a-z])).*(?<![a-z])(?:dsc|dce|perf(?:us\w*)?)(?![a-z])",
    "t2*": r"(?<![a-z0-9])t2\s?(?:\*|.?star|flash)|(?<![a-z])(?:swi|swan|swip|qsm|hemo)(?![a-z])",
    "ce": rf"(?<![a-z])(?:{AGENT}|post(?:{AGENT})?|pós|(?<=t1.)pos|pg|t1c|w(?:ith|/)?\s?con|enh(?:anced?)?"
    r"|delay(?:ed)?)(?![a-z])|[+&]\s?(?:c|km|gd)(?![a-z])|c\+|c/c(?![a-z])|i\.?v\.?\s?\+|(?<![a-z])t1[a-z]{0,2}\s?\(?\+(?!\s?t\d)"
    # "con contraste"; of a sagittal image, the corpus callosum.
    r"|^(?!.*sag).*(?<![a-z])cc\s*$|контраст|(?<!\w)ку(?!\w)|[增増][强強]|造影|조영",
}


def hints_of(*descriptions: str) -> tuple[str, ...]:
    """Return what a description names, in the words of ``HINTS``, and ``native`` if it says that there is no agent.

    >>> hints_of("AX T1 POST GAD"), hints_of("t1_ohne_km"), hints_of("T1 scout")
    (('t1', 'ce'), ('t1', 'native'), ('t1', 'other'))
    """
    written = " ".join(descriptions).lower().replace("_", " ")
    for other in (AFTER_TREATMENT, TISSUE):
        written = other.sub(" ", written)
    text = WITHOUT.sub(" ", written)
    named = [name for name, pattern in HINTS.items() if re.search(pattern, text)]
    native = "ce" not in named and (text != written or NATIVE.search(text))
    return (*named, "native") if native else tuple(named)


def names_agent(text: str) -> bool:
    """Return whether a text in the place of a contrast agent's name says that one was given.

    >>> names_agent("DOTAREM 15 ml"), names_agent("None given"), names_agent("")
    (True, False, False)
    """
    return agent_of(text) is True


def agent_of(text: str) -> bool | None:
    """Return whether a text in the place of a contrast agent's name says that one was given; None if it says nothing.

    Scanners write "no", "W/O", "0 ml" or "senza mdc" where none was, anonymisers "REMOVED" where there may have been
    none.

    >>> agent_of("DOTAREM 15 ml"), agent_of("None given"), agent_of("REMOVED")
    (True, False, None)
    """
    name = HARMLESS.sub("", " ".join(text.lower().split())).strip(" .,!?()")
    if NO_AGENT.fullmatch(name) or any(pattern.search(name) for pattern in (NEGATED, WITHOUT, ZERO_DOSE)):
        return False if name else None
    # An x alone marks that there was one.
    return None if len(name) > 1 and anonymity(name) == "word" else True


def names_other_part(description: str, *examined: str) -> bool:
    """Return whether a description, or else what is said of the whole examination, names another part than the head.

    A description may also name a part of the head. ``examined`` are the code of the part of the body and the like.

    >>> names_other_part("t2_tse_sag_lws", "HEAD"), names_other_part("T2 brain and c-spine", "SPINE")
    (True, False)
    """
    for text, others in ((description, DETAIL), *((one, ELSEWHERE) for one in examined)):
        spaced = text.lower().replace("_", " ")
        if HEAD_WORDS.search(spaced):
            return False
        if others.search(spaced):
            return True
    return False

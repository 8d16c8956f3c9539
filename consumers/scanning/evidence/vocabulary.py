# ruff: noqa: E501, RUF001 - a table of patterns: each list of words stays together
"""Interface words, English here and others by languages.py: what kind of message a text on a page is.

No word here belongs to one site; each list holds what interfaces of any kind say.
"""

import re
from functools import lru_cache
from typing import Final

from consumers.scanning.evidence.languages import also, words

ERRORS: Final = frozenset({"declined", "denied", "server", "missing_page", "validation", "error"})
"""The tones that make an error message."""

MAX_KNOWN: Final = 2_000
"""Texts remembered with what they are, by each question: pages of a site say much the same again and again."""
_known = lru_cache(maxsize=MAX_KNOWN)

_EMPTY = re.compile(
    r"\b(?:no|0|zero) (?:\w+ ){0,3}(?:results?|match(?:es)?|hits?|items?|products?|entries|records?|rows|articles?|"
    r"listings?|rooms?|jobs?|properties|courses?|recipes?|people|users?|tickets?|files?|documents?|\w+s) "
    r"?(?:were |was |are |could be )?(?:found|match(?:ed|ing)?|available for|for\b|to (?:show|display)|here|yet)"
    r"|\bno (?:results?|match(?:es)?|hits?)\b|\bnothing (?:was )?(?:found|match\w*|here|to show|turned up|came up)"
    r"|\b(?:could not|couldn't|did not|didn't|can't|cannot|can not|unable to) find (?:any\w*|what|a |results|matches)"
    r"|\b(?:found|matched|returned) (?:nothing|no |0 )|\bno \w+ (?:match|fit|meet|with|like)\b|\bnothing (?:matches|fits)"
    r"|\bno such \w+|\b0 (?:of \d+|results?|items?|found)\b|\bdid(?:n't| not) match any|\bwithout (?:a )?(?:match|result)s?\b"
    + also("empty"),
    re.IGNORECASE,
)
_DECLINED = re.compile(
    r"\bdeclin|\b(?:did not|didn't|not) (?:approve|authori[sz]e|go through|accept)\w*|\b(?:card|payment|transaction)\b.{0,40}\b(?:refused|rejected|failed|not accepted|could not|couldn't|unsuccessful)"
    r"|\binsufficient funds|\banother (?:card|payment)|\b(?:card|payment) (?:error|problem)|\bexpired card"
    + also("declined"),
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\bpermissions? (?:is |are |was )?(?:denied|required|needed|missing)|\b(?:no|not|without|missing|lack\w*|needs?|requires?|insufficient|n't have)\b.{0,20}\bpermission|\bnot allowed|\bunauthori[sz]ed|\bnot authori[sz]ed|\bforbidden|\baccess (?:is |was )?(?:denied|refused|restricted)"
    r"|\b(?:need|needs|requires?|must have|must be|only)\b.{0,40}\b(?:role|rights?|access|admin\w*|owners?|privileges?|members?|"
    r"subscri\w+|signed in|logged in)\b|\bask (?:your|an|the) (?:admin|owner|manager)|\bnot (?:eligible|permitted|entitled)"
    r"|\blimit (?:is )?reached|\bquota|\bonly (?:admins?|owners?|managers?)|\baccount (?:is )?(?:locked|blocked|suspended)"
    + also("denied"),
    re.IGNORECASE,
)
_SERVER = re.compile(
    r"\bwent wrong|\b(?:server|internal|unexpected|unknown|network|system|connection) (?:error|problem|failure)"
    r"|\b(?:temporarily |currently |is |are )(?:un|not )available|\bservice unavailable|\btry(?:ing)? again (?:later|in)\b|\btimed? ?-?out"
    r"|\b(?:could not|couldn't|can't|cannot|failed to|unable to|was not able to|were not able to) (?:be )?(?:load|sav|reach|connect|process|"
    r"complet|submit|send|sent|creat|updat|delet|fetch|get|open|upload|download|export|check|place|add|remov|retriev|perform|start|finish)"
    r"|\b(?:error|code|status)[: ]+5\d\d\b|\b50[0234]\b|\bconnection (?:was )?lost|\bout of service|\bbroke(?:n)?\b"
    + also("server"),
    re.IGNORECASE,
)
_MISSING_PAGE = re.compile(
    r"\b(?:page|site|address|url|link|article|item|content|document|product|file)\b.{0,30}\b(?:not found|(?:can't|cannot|couldn't|could not) be found|does(?: not|n't) exist|"
    r"gone|moved|no longer)|\b404\b|\bnot found\b" + also("missing_page"),
    re.IGNORECASE,
)
_VALIDATION = re.compile(
    r"\brequired\b|\bmust (?:be|have|contain|accept|match|include|not|start|end|agree|select|choose|enter|provide|fill|use)\b"
    r"|\b(?:please|kindly) (?:enter|provide|choose|select|fill|check|correct|complete|tick|accept|agree|add|use|confirm|specify|pick)"
    r"|\b(?:enter|provide|choose|select|pick|use|give|type|specify) (?:a|an|your|the|at least|one|only|between|up to)\b"
    r"|\b(?:is |are )?(?:invalid|not valid)|\b(?:isn't|aren't|not) (?:a )?(?:valid|correct|right|complete|long|strong)"
    r"|\bneeds? (?:at least|to|a|an|more|\d)|\bat (?:least|most) (?:\d+|one|two|three)|\btoo (?:short|long|weak|small|large|big|many|few|old|young|common)"
    r"|\b(?:do|does)(?: not|n't) (?:match|look)|\bmissing\b|\b(?:incorrect|wrong|malformed)\b|\bcan(?:not|'t) be (?:empty|blank|left)"
    r"|\balready (?:taken|in use|exists?|registered|used)|\b(?:wrong|bad|expected) format|\bonly (?:letters|numbers|digits|characters)"
    r"|\bfill (?:in|out)|\bcheck (?:the|your) (?:fields?|entries|details|form|input|spelling|highlighted|number|date|code)"
    r"|\b(?:should|has to|have to) (?:be|have|contain)|\bmust\b|\b(?:minimum|maximum) (?:of|length|is)|\bin the (?:past|future)\b"
    r"|\b\d+ (?:characters|digits)\b|\bnot recogni[sz]ed|\bin the form\b" + also("validation"),
    re.IGNORECASE,
)
_ERROR = re.compile(
    r"\berrors?\b|\bfail(?:ed|ure|s)?\b|\bproblem\b|\boops\b|\bwhoops\b|\buh[- ]oh\b|\bsorry\b|\bcannot\b|\bcan't\b|\bcould(?: not|n't)\b|"
    r"\bunable\b|\bunavailable\b|\brejected\b|\brefused\b|\bnot possible\b|\bexpired\b|\bblocked\b|\bunsuccessful|\bnot (?:saved|sent|"
    r"created|added|accepted|completed|available|working|supported)\b|\bunsupported\b|\bconflict\b|\bsold out\b|\bdenied\b"
    + also("error"),
    re.IGNORECASE,
)
_PROGRESS = re.compile(
    r"^\W*(?:"
    + words("progress")
    + r"|please wait|one moment|hold on|just a (?:moment|second|sec)|working|loading|saving|sending|submitting|placing|processing|preparing|"
    r"searching|checking|creating|updating|uploading|downloading|exporting|generating|connecting|redirecting|signing|"
    r"logging|deleting|\w+ing\b.{0,30}(?:\.\.\.|…)\W*$)",
    re.IGNORECASE,
)
_SUCCESS = re.compile(
    r"\b(?:saved|success(?:ful(?:ly)?)?|thanks|thank you|confirmed|completed?|created|sent|submitted|received|updated|added|"
    r"removed|deleted|published|posted|invited|booked|reserved|activated|enabled|subscribed|registered|signed up|welcome|"
    r"all set|all done|done|ready|downloaded|download (?:has )?started|exported|imported|uploaded|approved|archived|restored|placed|upgraded|renamed|"
    r"changed|moved|assigned|scheduled|enrol?led|paid|verified|joined|shared|accepted|connected|granted|applied|duplicated|"
    r"on (?:its|the) way|you(?:'re| are) (?:in|now|ready)|congratulations|congrats|is (?:now )?active|is live|copied)\b|\bwe(?:'ll| will) (?:get back|reply|be in touch)"
    + also("success"),
    re.IGNORECASE,
)
_STEP = re.compile(
    r"\b(?:added|moved|saved|put|placed) (?:it |this |\d+ |one |item |items )?(?:\w+ )?(?:to|in|into) (?:your |the |my )?(?:shopping )?"
    r"(?:cart|bag|basket|wish ?list|favou?rites|trolley|compare|saved items|collection)"
    r"|\b(?:cart|bag|basket|trolley)\b.{0,20}\b(?:updated|emptied|cleared)|\b(?:code|coupon|promo|discount|filter|filters)\b.{0,20}\bapplied"
    r"|\bcopied\b|\bin stock\b|\bcookies?\b|\bremoved from (?:your |the )?(?:cart|bag|basket|wish ?list)"
    + also("step"),
    re.IGNORECASE,
)
_CONVERSION = re.compile(
    r"\b(?:order|purchase|booking|reservation|donation|appointment|tickets?)\b.{0,40}\b(?:confirmed|placed|complete[d]?|received|successful|"
    r"on (?:its|the) way|booked|is in)|\bthank(?:s| you)\b.{0,40}\b(?:order(?:ing)?|purchase|buying|booking|payment|donation|donating|reservation|subscribing|shopping|joining|signing up|registering)"
    r"|\bpayment\b.{0,30}\b(?:successful|received|complete[d]?|confirmed|accepted|approved)|\bpaid successfully"
    r"|\b(?:subscription|plan|trial|membership|upgrade|licen[cs]e)\b.{0,40}\b(?:is active|active|activated|started|confirmed|complete[d]?|successful|begins)\b"
    r"|\b(?:upgraded|subscribed|switched|moved) to\b|\byou(?:'re| are) (?:now )?(?:on|subscribed to|a member)\b.{0,40}|\bwelcome to (?:the )?\w+ plan\b"
    r"|\b(?:order|booking|confirmation|reservation) (?:number|no\.?|reference|code|id)\b|\b(?:successfully|have) (?:subscribed|purchased|booked|upgraded)"
    + also("conversion"),
    re.IGNORECASE,
)
_ACCOUNT = re.compile(
    r"\b(?:account|profile|workspace|registration|sign-?up|onboarding|setup)\b.{0,30}\b(?:created|complete[d]?|ready|confirmed|finished|done|"
    r"successful|set up)|\ball (?:set|done)\b|\bwelcome\b|\byou(?:'re| are) (?:all set|ready|in|done)\b|\bsetup (?:is )?(?:complete|done)|\bready to (?:go|start|use)\b"
    r"|\bfinished\b|\bcongrat",
    re.IGNORECASE,
)
_CHECKOUT = re.compile(
    r"\b(?:check-?out|payments?|billing|place order|pay(?: now)?|buy now|purchase|booking|reservation|donate)\b"
    + also("checkout"),
    re.IGNORECASE,
)
_CHECKOUT_ACT = re.compile(
    r"\b(?:check ?out|place (?:the |your |my )?order|pay|buy|purchase|complete (?:order|purchase|booking)|confirm (?:and pay|(?:your |the |my )?(?:order|purchase|booking|payment|reservation|upgrade|subscription|plan))|"
    r"book now|reserve|donate)\b" + also("checkout_act"),
    re.IGNORECASE,
)
_UPGRADE_ACT = re.compile(
    r"\b(?:upgrade|subscribe|(?:choose|select|get|buy|start|try|switch to|go) (?:\w+ ){0,2}(?:plan|pro|premium|plus|team|business|trial|subscription|annual|monthly)|"
    r"activate (?:plan|subscription)|start (?:\w+ )?trial|go (?:pro|premium))\b" + also("upgrade_act"),
    re.IGNORECASE,
)
_ON_THE_WAY = re.compile(
    r"\b(?:continue|proceed|go|next|back|return|to (?:the )?(?:check ?out|payment|cart))\b|\b(?:check ?out)$",
    re.IGNORECASE,
)
_ABOUT_PAST = re.compile(
    r"\b(?:history|methods?|options?|how|why|terms|policy|details|settings|info\w*|faq|help|guide|about|track|past|my)\b",
    re.IGNORECASE,
)
_SIGN_UP = re.compile(
    r"\b(?:sign-?\s?up|register|registration|create (?:an? |your |my )?(?:\w+ )?account|join(?: us| now)?|enrol\w*)\b"
    + also("sign_up"),
    re.IGNORECASE,
)
_ONBOARDING = re.compile(
    r"\b(?:onboard\w*|welcome|set-?\s?up|get(?:ting)?[- ]started|first steps?|tour|wizard|step)\b", re.IGNORECASE
)
_DONE_PATH = re.compile(
    r"(?:^|[/_-])(?:thanks?|thank-?you|thankyou|success|succeeded|confirm(?:ed|ation)|complete[d]?|receipt|order-?(?:confirmed|complete|placed|received)|"
    + words("done_path")
    + r")(?:$|[/_-])",
    re.IGNORECASE,
)
_STEPPER = re.compile(
    r"^\W*(?:[+\-−–<>‹›«»←→▲▼]|next|prev(?:ious)?|more|less|plus|minus|increase|decrease|add one|remove one|back|forward|zoom in|zoom out|load more|show more|"
    + words("stepper")
    + r")\W*$",
    re.IGNORECASE,
)
_INFORMATION = re.compile(
    r"\b(?:view|see|show|read|learn|about|details?|info\w*|guide|preview|zoom|image|photo|picture|gallery|video|faq|help|more|why|how|what)\b"
    + also("information"),
    re.IGNORECASE,
)
_NEGATIVE = re.compile(
    r"\b(?:not|no|never|without|unless|until|only|first|less|more than)\b|n't\b" + also("negative"), re.IGNORECASE
)
_DISMISS = re.compile(
    r"^\W*(?:cancel|close|dismiss|back|go back|no,? thanks|not now|(?:maybe )?later|skip(?: .*)?|x|×|✕|discard(?: .*)?|reset|clear|"
    + words("dismiss")
    + r")\W*$",
    re.IGNORECASE,
)
_APOLOGY = re.compile(
    r"^\W*(?:(?:we(?:'re| are)? )?(?:so |very )?sorry|oops|whoops|uh|hmm?|error|\d{3}|we|this (?:page|site|service|content|link)|the page|page|that page|"
    r"something|it (?:looks|seems)|unfortunately|looks like|there (?:was|is|has been)|service|server error|try|your request|an? (?:\w+ )?error)\b",
    re.IGNORECASE,
)
_BUSY = re.compile(r"^\W*\w{3,}ing\b(?: \w+){0,4}\W*$", re.IGNORECASE)
_ORDERS = re.compile(
    r"\bverdict\b|\banswer (?:yes|no)\b|<\|?\w+\|>|\[/?(?:system|inst)\b|</?system>|\bsystem\s*:|"
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\binstructions?\b",
    re.IGNORECASE,
)
_INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,60}\b(?:instruction|previous|above|prompt|rule)|\b(?:AI|LLM|language model|assistant|chatbot|GPT|"
    r"system prompt|model)\b.{0,80}\b(?:must|should|answer|analy[sz]|respond|output|say|set|include|instruction)|\bsystem\s*:|\banswer (?:yes|no)\b|"
    r"\byou are (?:now|a|an)\b.{0,40}\b(?:assistant|model|reviewer|bot)|</?(?:system|instructions?|prompt)>|\bverdict\b|\bset (?:the )?(?:score|frustration|confidence)"
    r"|\bsystem prompt\b|\b(?:print|reveal|show|tell|send|output|include|give)\b.{0,40}\bapi[- ]?keys?\b|\b(?:analysts?|analy[sz]ers?|reviewers?|graders?|annotators?)\b.{0,60}\b(?:report|mark|rate|score|answer|say|write|label|kindly)\b"
    r"|\b(?:decode|translate|read) and (?:obey|follow|execute|run)\b|(?:#\s*new|\bnew|\bfollowing) instructions?\s*[:\n]|#\s*new instructions?\b|\b(?:your|the) (?:verdict|score|answer) (?:must|should|shall) (?:be )?(?:yes|no|true|1|10)\b"
    r"|\b(?:report|mark|rate|score|label|tag|classify) (?:this|the) (?:visit|session|recording|visitor)\b|<\|?\w+\|>|\[/?(?:system|inst|end of evidence)\b|\bjailbreak|\bDAN\b"
    r"|\b(?:say|write|append|include|repeat|print|output|cite|add)\b.{0,24}\b(?-i:[A-Z]{3,}-[A-Z0-9]{2,})"
    # What is said to whoever reads a recording, in other languages.
    r"|\b(?:ignor\w*|missacht\w*|vergiss|oubli\w*|olvid\w*|dimentica\w*|esquec\w*|desconsider\w*)\b.{0,60}\b(?:anweisung\w*|instruktion\w*|regeln|instructions?|consignes?|règles|instrucciones|órdenes|reglas|istruzioni|regole|instruções|regras)"
    r"|\bantworte (?:\w+ )?mit (?:ja|nein)\b|\bréponds\b|\brispondi\b|\bresponde (?:sí|sim|siempre|sempre)\b"
    r"|(?:忽略|无视|無視|忽视).{0,20}(?:指令|指示|说明|提示|規則)|(?:所有|全部)问题.{0,10}回答|(?:指示|命令).{0,10}無視|지시.{0,10}무시"
    r"|игнорируй\w*|забудь.{0,20}(?:инструкци|правил)|отвеча(?:й|йте)|تجاهل|أجب",
    re.IGNORECASE,
)


@_known
def tone(text: str) -> str:
    """The kind of message a text is: one of ``ERRORS``, ``empty``, ``progress``, ``success``, ``step``, or "" (none).

    Where a text has words of success and of failure, those that come first decide.
    """
    if _EMPTY.search(text):
        return "empty"
    if _PROGRESS.search(text):
        return "progress"
    if _STEP.search(text):
        return "step"
    failed = error_tone(text)
    good = _SUCCESS.search(text) if not text.endswith("?") else None
    if failed and good:
        bad = _place(text, failed)
        return "success" if good.start() < bad else failed
    return failed or ("success" if good else "")


@_known
def error_tone(text: str) -> str:
    """The kind of error message, or ""."""
    for name, pattern in _ERROR_TONES:
        if pattern.search(text):
            return name
    return ""


_ERROR_TONES: Final = (
    ("declined", _DECLINED),
    ("denied", _DENIED),
    ("server", _SERVER),
    ("missing_page", _MISSING_PAGE),
    ("validation", _VALIDATION),
    ("error", _ERROR),
)


def _place(text: str, name: str) -> int:
    match = dict(_ERROR_TONES)[name].search(text)
    return match.start() if match else len(text)


@_known
def conversion(text: str) -> bool:
    """A text that says an order, payment, booking or paid plan went through."""
    return bool(_CONVERSION.search(text)) and not _NEGATED.search(text)


_NEGATED = re.compile(r"\bnot\b|\bno longer\b|\bcancel|\bfailed|\bdeclin|\brefund", re.IGNORECASE)


@_known
def account_ready(text: str) -> bool:
    """A text that ends a sign-up or an onboarding."""
    return bool(_ACCOUNT.search(text)) and not _NEGATED.search(text)


@_known
def checkout_page(text: str) -> bool:
    return bool(_CHECKOUT.search(text))


@_known
def checkout_act(name: str) -> bool:
    return bool(_CHECKOUT_ACT.search(name))


@_known
def upgrade_act(name: str) -> bool:
    return bool(_UPGRADE_ACT.search(name))


@_known
def final_act(name: str) -> bool:
    """The act that ends a checkout, booking or upgrade, as far as a name tells; where a form goes with it."""
    return bool(_CHECKOUT_ACT.search(name) or _UPGRADE_ACT.search(name)) and not _ON_THE_WAY.search(name)


@_known
def about_past(name: str) -> bool:
    """A control about orders or payments that were, or about how they are made."""
    return bool(_ABOUT_PAST.search(name))


@_known
def searches(text: str) -> bool:
    """A path or name that has to do with looking for something."""
    return bool(_SEARCH.search(text))


_SEARCH = re.compile(r"search|(?<![^\W_])(?:" + words("search") + ")", re.IGNORECASE)


@_known
def asks_card(text: str) -> bool:
    """A page that wants a card's number."""
    return bool(_CARD.search(text))


_CARD = re.compile(
    r"\b(?:card number|cvc|cvv|kartennummer|prüfziffer|numéro de (?:la )?carte|número de (?:la )?tarjeta|número do cartão)\b",
    re.IGNORECASE,
)


@_known
def sign_up(text: str) -> bool:
    return bool(_SIGN_UP.search(text))


@_known
def onboarding(text: str) -> bool:
    return bool(_ONBOARDING.search(text))


@_known
def done_path(path: str) -> bool:
    """A path such pages have that come after something went through."""
    return bool(_DONE_PATH.search(path))


@_known
def informs(name: str) -> bool:
    """A control that only shows something: its failure keeps nobody from a goal."""
    return bool(_INFORMATION.search(name))


@_known
def negative(text: str) -> bool:
    """A text that denies something: in an alert, where neither good nor bad words are, that makes it an error."""
    return bool(_NEGATIVE.search(text))


@_known
def dismisses(name: str) -> bool:
    """A control that closes or leaves without sending anything."""
    return bool(_DISMISS.match(name.strip('"')))


@_known
def apologises(text: str) -> bool:
    """A text that begins as error pages do, not as a report about errors."""
    return bool(_APOLOGY.match(text))


@_known
def busy(text: str) -> bool:
    """A short text that says what is being done ("Collecting bookings"): progress where it stands in a status."""
    return bool(_BUSY.match(text))


@_known
def stepper(name: str) -> bool:
    """A control meant to be pressed many times: plus, minus, next."""
    return bool(_STEPPER.match(name.strip('"')))


def orders(text: str) -> bool:
    """Page text that could be meant for nobody else: what it says about the visit counts for nothing."""
    return bool(_ORDERS.search(text))


@_known
def instructs(text: str) -> bool:
    """Page text that talks to whoever analyses the session. It is data; answers do not repeat it (anchors D.4)."""
    return bool(_INSTRUCTION.search(text))

# ruff: noqa: E501 - a table of patterns: each row is one way to say it
"""What a prompt can be about: concepts, and the words people use for them.

Weights: 3 names the concept, 2 describes it, 1 leans towards it. A prompt is about the concept that gathers most.
"""

import re
from dataclasses import dataclass
from typing import Final

from consumers.scanning.providers.builtin.prompt import Ask, negated

LEAST: Final = 2.0
"""A concept with less than this is at most a guess, made when nothing else answers the prompt."""
GUESS: Final = 1.0
NAMES: Final = 2.0
"""A negation counts where it stands before words of at least this weight."""
ASIDE: Final = 0.4
"""What stands in brackets explains and counts less."""


_WORDS: Final[dict[str, tuple[tuple[float, str], ...]]] = {
    "conversion": (
        (3, r"\bmoney\b|\bpays\b|\btransactions?\b"),
        (3, r"\b(?:revenue|paying customers?|checked out)\b"),
        (2, r"\bupgrad\w*\b|\bsubscri\w*\b|\bpaid\b"),
        (3, r"\bconver(?:t\w*|sions?)\b"),
        (3, r"\b(?:purchas\w*|bought|buy(?:s|ing)?)\b"),
        (3, r"\b(?:order|sale|booking|reservation|payment|plan|subscription|upgrade|checkout|trial|membership)\b.{0,30}\b(?:confirm\w*|complet\w*|plac\w+|finish\w*|activat\w*|succe\w+|through|made|paid)"),
        (3, r"\b(?:confirm\w*|complet\w*|plac\w+|finish\w*|activat\w*|succe\w+|made|paid|end(?:ed)? in|result(?:ed)? in)\b.{0,30}\b(?:order|sale|booking|reservation|payment|plan|subscription|upgrade|checkout|trial|membership|transaction)"),
        (2, r"\b(?:subscrib\w+|signed up|sign(?:ing)?[- ]?ups?|onboarding|account (?:was )?created|creat\w+ an account|register\w*|upgraded)\b"),
        (1, r"\b(?:paid|sale|order(?:ed)?|checkout)\b"),
    ),
    "checkout_given_up": (
        (5, r"\b(?:checkout|payment|upgrade|purchase|booking)\b.{0,40}\b(?:start\w*|beg[aiu]n\w*|initiat\w*)\b.{0,40}\b(?:not|never|without|n't)\b"),
        (4, r"\babandon\w*\b.{0,40}\b(?:checkout|cart|basket|payment|upgrade|purchase|order|booking)"),
        (4, r"\b(?:checkout|cart|basket|payment|upgrade|purchase|booking)\b.{0,30}\b(?:abandon\w*|given up|not completed|unfinished|drop\w*)"),
        (3, r"\b(?:left|leav\w+|drop\w*|quit|gave up|give up|bail\w*|walk\w* away)\b.{0,40}\b(?:checkout|cart|basket|payment|upgrade|purchase)"),
        (3, r"\bstart\w*\b.{0,30}\b(?:checkout|payment|upgrade|purchase|booking)\b.{0,50}\b(?:not|never|without|but)\b"),
    ),
    "rage_click": (
        (3, r"\b(?:\d+|three|four|five) (?:or more |\+ )?(?:\w+ )?(?:clicks?|taps?)\b"),
        (3, r"\bclick\w*\b.{0,20}\b(?:furious\w*|frantic\w*|angr\w+|rapid\w*|repeated\w*|aggressive\w*)"),
        (2, r"\b(?:fast|quick|successive|consecutive) (?:\w+ )?(?:clicks?|taps?)"),
        (4, r"\brage\b"),
        (3, r"\b(?:rapid\w*|repeat\w*|frantic\w*|furious\w*|angr\w+|multiple|many|burst\w*)\b.{0,40}\b(?:click\w*|tap\w*|press\w*|hit\w*)"),
        (3, r"\bclick\w*\b.{0,60}\b(?:burst\w*|repeated\w*|rapid\w*|several times|many times|times|quick succession|over and over|again and again)"),
        (2, r"\bbursts?\b|\bquick succession\b|\bhits? on the same|\bsame (?:spot|control|element|button|place|thing)"),
        (2, r"\bhammer\w*|\bmash\w*|\bpound\w*"),
    ),
    "dead_click": (
        (3, r"\b(?:do|did|does|doing|done) nothing\b|\bnothing (?:was |is )?(?:happening|visible)"),
        (3, r"\b(?:not|non)[- ]?(?:interactive|clickable)|\bclick\w*\b.{0,40}\b(?:doesn't|does not|didn't|did not|don't) work"),
        (4, r"\bdead[- ]?click\w*|\bdead (?:button|link|control|element)"),
        (3, r"\b(?:nothing|no)\b(?: \w+){0,2} (?:happen\w*|chang\w*|reaction|response|effect|feedback)\b"),
        (3, r"\b(?:unresponsive|not responsive|did(?: not|n't) (?:react|respond|work)|does(?: not|n't) (?:react|respond|work|do anything)|without (?:any )?(?:effect|reaction|response|result))\b"),
        (3, r"\bclicks?\b.{0,40}\b(?:nowhere|nothing|no effect|ignored|unanswered|in vain)"),
        (1, r"\b(?:click\w*|press\w*|tap\w*)\b"),
        (2, r"\blook\w* clickable|\bfake (?:button|link)s?"),
    ),
    "error_shown": (
        (3, r"\b(?:action|request|input|it)\b.{0,20}\b(?:not possible|impossible|not permitted)|\btell\w*\b.{0,50}\b(?:wrong|not possible|failed|problem)"),
        (3, r"\bcomplain\w*|\bfail\w* (?:notice|message|banner|alert)s?|\bnotice of (?:failure|error)"),
        (2, r"\berror (?:alerts?|dialogs?|popups?|toasts?)"),
        (3, r"\berror (?:message|text|notice|banner|alert|page|screen|state)s?\b|\berrors? (?:was |were |is |are )?(?:shown|displayed|visible|on screen|appear\w*)"),
        (3, r"\b(?:shown?|see\w*|saw|display\w*|present\w*|told|encounter\w*|receiv\w*|got|get|face\w*)\b.{0,50}\b(?:error|went wrong|not allowed|failure|problem|rejected|declined|denied|warning)"),
        (2, r"\b(?:something|things?) went wrong|\bnot allowed|\bwas (?:denied|refused)"),
        (2, r"\berrors?\b"),
        (1, r"\bmessages?\b|\bwarnings?\b"),
    ),
    "declined": (
        (4, r"\b(?:card|payment|transaction)s?\b.{0,30}\b(?:declin\w*|refus\w*|reject\w*|fail\w*)|\b(?:declin\w*|refus\w*|reject\w*|fail\w*) (?:card|payment|transaction)s?"),
    ),
    "denied": (
        (4, r"\b(?:permission|access|authori[sz]\w+|role|privilege)s?\b.{0,30}\b(?:denied|missing|lack\w*|refus\w*|required|problem|error)|\b(?:lack\w*|missing|no|without|insufficient) (?:the )?(?:permission|access|rights|privilege)s?|\baccess denied|\bforbidden"),
    ),
    "javascript_error": (
        (4, r"\bruntime (?:error|exception)s?|\b(?:error|exception|crash)\w*\b.{0,30}\b(?:front[- ]?end|scripts?|javascript|js|browser console)\b"),
        (4, r"\b(?:javascript|js|script|client[- ]side|front[- ]?end|browser)\b.{0,40}\b(?:error|exception|crash|fail|bug)\w*"),
        (4, r"\b(?:unhandled|uncaught|thrown?|throws|raised?)\b.{0,30}\b(?:error|exception|rejection|promise)s?"),
        (3, r"\bexceptions?\b|\bstack ?trace|\brejected promises?|\btypeerror"),
        (2, r"\bcrash\w*\b|\bconsole errors?"),
    ),
    "failed_request": (
        (3, r"\b(?:[45]\d\d|40x|50x)\b"),
        (3, r"\b(?:server|backend|api|network|request)\b.{0,40}\bbr[eo]ak\w*"),
        (4, r"\b(?:network|request|api|http|server|backend|call|response|ajax|fetch|endpoint)s?\b.{0,60}\b(?:fail\w*|error\w*|4xx|5xx|[45]\d\d|no (?:answer|response)|unanswered|time ?out|timed out|broke\w*|reject\w*)"),
        (4, r"\b(?:fail\w*|[45]xx|erroneous|broken|[45]\d\d)\b.{0,30}\b(?:network|request|api|http|call|response|range|fetch|endpoint)s?"),
        (3, r"\b[45]xx\b|\b(?:status|http|code)\b.{0,20}\b[45]\d\d\b|\bhttp (?:status|error|response)"),
        (1, r"\b(?:server|backend|network|api)\b"),
    ),
    "form_abandoned": (
        (4, r"\b(?:quit|left|leav\w+|stop\w*|gave up|bail\w*)\b.{0,30}\b(?:halfway|half[- ]way|midway|middle)\b.{0,20}\bforms?|\b(?:quit|left|leav\w+|gave up on)\b.{0,15}\bforms?\b"),
        (4, r"\b(?:begin\w*|beg[au]n|start\w*|fill\w*)\b.{0,40}\b(?:form|fields?)\b.{0,40}\b(?:without|not|never|but|n't|unfinished)"),
        (4, r"\b(?:typ\w+|enter\w*|fill\w*|data|input|text)\b.{0,50}\b(?:never|not|without|n't)\b.{0,25}\b(?:submi\w+|sen[dt]|sav\w+|complet\w*)"),
        (3, r"\bforms?\b.{0,60}\b(?:abandon\w*|unfinished|incomplete|not (?:submitted|accepted|completed)|never|left)"),
        (4, r"\b(?:abandon\w*|unfinished|incomplete|partly|partially|half|wrongly)\b.{0,40}\b(?:form|fill\w*|complet\w*|registration|sign-?up)"),
        (3, r"\b(?:fill\w*|typ(?:ed|ing)|enter\w*)\b.{0,60}\b(?:never|not|without|abandon\w*)\b.{0,30}\b(?:submit\w*|accept\w*|sen[dt]\w*|sav\w+|complet\w*|finish\w*)"),
        (2, r"\b(?:start\w*|beg[au]n\w*) (?:to )?(?:fill\w*|typ\w+|enter\w*)"),
        (1, r"\bforms?\b|\bfill\w* (?:in|out)"),
    ),
    "validation_error": (
        (3, r"\b(?:incorrect|wrong|bad|required|mistyped|faulty) (?:\w+ )?(?:fields?|entr(?:y|ies)|values?|inputs?|data)\b"),
        (3, r"\b(?:asked|told|prompted|hint\w*|request\w*|made)\b.{0,30}\b(?:correct|fix|re-?enter|complete)\b"),
        (2, r"\bcomplain\w*.{0,30}\b(?:fields?|input|entr\w+|values?)"),
        (4, r"\bvalidat\w*\b"),
        (3, r"\b(?:input|entry|entries|field|form|value|data|submission)s?\b.{0,40}\b(?:reject\w*|refus\w*|invalid|missing|malformed|incorrect|wrong)"),
        (3, r"\b(?:refus\w*|reject\w*|invalid|malformed|missing)\b.{0,40}\b(?:input|entry|entries|field|form|value|data)s?\b"),
        (3, r"\b(?:what|which field)s? (?:to|must be|needs to be) (?:correct|fix|chang|fill)\w*|\brequired fields?|\bbecause of what (?:the )?\w+ (?:entered|typed)"),
        (1, r"\bfields?\b"),
    ),
    "lost_navigation": (
        (3, r"\bswitch\w* between|\bas if searching|\bcircles?\b|\bmany pages\b"),
        (3, r"\bjump\w* (?:from|around|between)|\b(?:page|screen) to (?:page|screen)|\bwithout (?:a |any )?(?:purpose|aim|direction)|\bpurposeless\w*|\bno clear direction"),
        (4, r"\b(?:lost|aimless\w*|disorient\w*|wander\w*)\b"),
        (3, r"\bback[- ]and[- ]forth|\bhop\w* (?:between|from|around)|\bpogo\w*|\bping[- ]?pong|\bin circles|\bjump\w* between"),
        (2, r"\b(?:unable to|cannot|can't|could(?: not|n't)) find (?:something|what|the|their|it|anything)\b"),
        (2, r"\bconfus\w*\b"),
        (1, r"\bnavigat\w*\b|\bbetween pages"),
    ),
    "empty_search": (
        (3, r"\b(?:search\w*|look\w*)\b.{0,40}\b(?:not exist|n't exist|not there|not available|in vain)"),
        (3, r"\b(?:search\w*|filter\w*|look\w* (?:\w+ ){0,2}up|quer\w+)\b.{0,60}\b(?:no|zero|empty|nothing|without|fail\w*|fruitless|unsuccessful\w*|0)\b"),
        (3, r"\b(?:no|zero|empty|nothing|fail\w*|fruitless|unsuccessful|0)\b.{0,30}\b(?:search\w*|results?|hits|matches|found)\b"),
        (2, r"\b(?:zero|no|empty|without) (?:search )?(?:hits|results?|matches)"),
        (1, r"\bsearch\w*\b|\bfilter\w*\b"),
    ),
    "slow_response": (
        (2, r"\b(?:took|take|takes|taking)\b.{0,15}\b(?:over|more than|longer|at least|too long|ages)|\bpatien(?:t|ce)\b.{0,30}\bbecause|\btook over"),
        (3, r"\bdelay\w*\b|\b(?:load|response|waiting)(?:ing)? times?\b"),
        (3, r"\b(?:longer|more) than\b.{0,25}\b(?:load|respond|react|answer|open|appear|finish)\w*"),
        (3, r"\bslow\w*\b|\bsluggish\w*\b|\blag(?:s|gy|ged|ging)?\b|\blatency\b|\bperformance\b"),
        (3, r"\bwait\w*\b.{0,60}\b(?:second|react|respon|answer|load|app|page|system|result)\w*"),
        (3, r"\b(?:answer|respon\w*|react\w*|load\w*|action)\b.{0,50}\b(?:took|take\w*|more than|over|longer|at least)\b.{0,20}(?:\d|second|three|five|ten|two|long)"),
        (2, r"\btook (?:too )?long|\blong (?:loading|wait|load)\w*|\bor longer\b|\bto be answered"),
    ),
    "idle": (
        (2, r"\bbreaks?\b|\buntouched\b|\bpauses?\b|\bcome back|\bcame back"),
        (3, r"\bstop\w* (?:interacting|doing|moving|clicking|using)|\bnothing (?:happen\w*|was done|is done) for|\b(?:did|does|doing) nothing for"),
        (3, r"\bbreak of\b|\bpause of\b|\bgap of\b|\bstep\w* away|\bno (?:user )?activity"),
        (4, r"\bidle\b|\binactiv\w*\b|\bwent (?:quiet|away)|\bgo(?:es)? (?:quiet|away|silent)|\bdormant"),
        (3, r"\bpaus(?:e|es|ed|ing)\b|\b(?:no|without(?: any)?) (?:\w+ ){0,2}(?:activity|input|interaction|movement|action)s?\b"),
        (2, r"\bquiet\b|\bstopped (?:interacting|doing)|\baway from"),
        (1, r"\bbefore (?:carrying on|continuing|going on|resuming)|\bin the middle\b"),
    ),
    "goal_missed": (
        (3, r"\bempty[- ]handed|\bunsatisfied|\bunachieved|\bbefore (?:accomplish|achiev|finish|complet|reach)\w*|\bin vain\b"),
        (5, r"\b(?:fail\w*|unable|not able|could(?:n't| not)|did(?:n't| not)|never)\b(?: to| manage to| managed to)? (?:reach|achiev\w*|complet\w*|finish\w*|accomplish\w*|succeed\w*)"),
        (3, r"\b(?:attempt|effort|try)s?\b.{0,20}\b(?:end|result)\w* in (?:failure|vain|nothing)|\bwithout getting what"),
        (4, r"\bg[ai]v(?:e|es|en|ing) up\b|\bgave up\b"),
        (3, r"\b(?:goal|intent\w*|task|purpose|objective|aim|something done|wanted|trying|tried|try|attempt\w*)\b.{0,80}\b(?:without|unmet|undone|not (?:achiev|reach|complet|finish|met)\w*|fail\w*|never|unfulfilled|unsuccessful\w*|unfinished)"),
        (3, r"\bwithout (?:achiev|reach|complet|finish|accomplish|succeed|gett)\w*"),
        (2, r"\bunmet\b|\bundone\b|\bunfulfilled\b|\bunsuccessful\w*|\bfail(?:ed|s)? to (?:achieve|complete|finish|reach|accomplish)|\bblocked from"),
        (1, r"\bleft?\b|\bleav\w+\b|\bstill\b"),
    ),
    "task_completed": (
        (2, r"\bsucceed\w*|\bwas able to\b|\bmanaged to\b"),
        (3, r"\b(?:achiev\w*|accomplish\w*|complet\w*|finish\w*|succeed\w*|success\w*|reach\w*)\b.{0,40}\b(?:goal|task|want\w*|intend\w*|set out|aim|job|objective)"),
        (3, r"\b(?:goal|task|job|objective)\b.{0,30}\b(?:achiev\w*|accomplish\w*|complet\w*|finish\w*|reach\w*|met|done|success\w*)"),
        (2, r"\bsuccess(?:ful(?:ly)?)?\b|\bgot (?:it|something) done"),
    ),
    "impatient_repeat": ((4, r"\bimpatien\w*\b"), (3, r"\bclick\w* again\b.{0,40}\b(?:wait|load|respon)\w*")),
    "quick_back": ((4, r"\bquick(?:ly)? (?:back|return\w*)|\bbounc\w* back|\bback (?:button )?(?:at once|immediately|right away|quickly)"),),
    "defect": (
        (3, r"\bbugs?\b|\bdefects?\b|\bglitch\w*\b|\bbroken\b|\bmalfunction\w*|\btechnical (?:issue|problem|error|fault)s?"),
        (2, r"\bnot work(?:ing)?\b|\bcrash\w*"),
    ),
    "friction": (
        (3, r"\bfrict\w*\b|\bfrustrat\w*\b|\bstruggl\w*\b|\bannoy\w*\b|\bstuck\b|\btrouble\w*\b|\bdifficult\w*\b|\bobstacles?\b|\bpain ?points?\b"),
        (2, r"\bproblems?\b|\bissues?\b|\bhinder\w*|\bunhappy\b|\bangry\b|\bconfus\w*"),
    ),
}  # fmt: skip

_PATTERNS: Final = {
    name: tuple((weight, re.compile(pattern)) for weight, pattern in rows) for name, rows in _WORDS.items()
}


@dataclass(frozen=True, slots=True)
class Match:
    """A concept a prompt is about. ``denied``: the prompt asks for its absence."""

    concept: str
    score: float
    denied: bool


def matches(ask: Ask) -> list[Match]:
    """Concepts of a prompt, the best first; those below ``LEAST`` are guesses."""
    found: list[Match] = []
    for name, rows in _PATTERNS.items():
        score, denied = 0.0, False
        for weight, pattern in rows:
            match = pattern.search(ask.main)
            if match is not None:
                score += weight
                denied |= weight >= NAMES and negated(ask.main, match.start())
            elif pattern.search(ask.asides):
                score += weight * ASIDE
        if score >= GUESS:
            found.append(Match(name, score, denied))
    if ask.duration_ms is not None:
        found = [_timed(match) for match in found]
    return sorted(found, key=lambda match: -match.score)


def _timed(match: Match) -> Match:
    """A named time speaks for the two concepts that are about time."""
    return (
        Match(match.concept, match.score + 1.5, match.denied) if match.concept in ("slow_response", "idle") else match
    )

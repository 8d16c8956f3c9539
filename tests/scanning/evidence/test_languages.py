"""The same happenings on sites in other languages, with and without roles, and where nothing is recorded."""

from typing import Any, Final

import pytest

from consumers.scanning.evidence import build_evidence
from tests.scanning.browser import Browser

SITE: Final = "https://a.example"
LANGUAGES: Final = {
    "de": {
        "checkout": "Kasse", "buy": "Jetzt kaufen", "search": "Suche",
        "invalid": "Bitte geben Sie eine gültige E-Mail-Adresse ein",
        "declined": "Ihre Karte wurde abgelehnt. Bitte versuchen Sie es mit einer anderen Karte.",
        "broken": "Ein Fehler ist aufgetreten. Bitte versuchen Sie es später erneut.",
        "denied": "Keine Berechtigung für diese Aktion",
        "bought": "Vielen Dank für Ihre Bestellung!", "nothing": "Keine Ergebnisse gefunden", "saved": "Gespeichert",
    },
    "fr": {
        "checkout": "Paiement", "buy": "Payer", "search": "Recherche",
        "invalid": "Veuillez saisir une adresse e-mail valide",
        "declined": "Votre carte a été refusée.",
        "broken": "Une erreur est survenue. Veuillez réessayer plus tard.",
        "denied": "Vous n’avez pas l’autorisation",
        "bought": "Merci pour votre commande !", "nothing": "Aucun résultat trouvé", "saved": "Enregistré avec succès",
    },
    "es": {
        "checkout": "Pago", "buy": "Pagar", "search": "Buscar",
        "invalid": "Introduce un correo electrónico válido",
        "declined": "Tu tarjeta ha sido rechazada",
        "broken": "Ha ocurrido un error. Inténtalo de nuevo más tarde.",
        "denied": "No tienes permiso para hacer esto",
        "bought": "¡Gracias por tu compra!", "nothing": "No se encontraron resultados",
        "saved": "Guardado correctamente",
    },
}  # fmt: skip
PLACES: Final = ("<div class='error'>{}</div>", "<p>{}</p>", "<div role='alert'>{}</div>")


def kinds(events: list[tuple[str, Any]]) -> set[str]:
    return {signal.kind for signal in build_evidence(events).signals}


def checkout(texts: dict[str, str]) -> Browser:
    form = f"<form><input id='m' name='email'><button id='b'>{texts['buy']}</button></form><div id='o'></div>"
    return Browser().load(f"{SITE}/a", f"<h1>{texts['checkout']}</h1>{form}").wait(2).type("m", "a@b").wait(1)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("invalid", {"validation_error", "error_shown", "abandoned_form"}),
        ("declined", {"error_shown", "checkout_given_up", "goal_missed"}),
        ("broken", {"error_shown", "goal_missed"}),
        ("denied", {"error_shown", "goal_missed"}),
    ],
)
def test_messages_of_failure(language: str, place: str, said: str, expected: set[str]) -> None:
    texts = LANGUAGES[language]
    found = kinds(checkout(texts).click("b").wait(0.4).fill("o", place.format(texts[said])).wait(4).leave(6))
    assert expected <= found
    assert not found & {"conversion", "task_completed"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_went_well(language: str) -> None:
    texts = LANGUAGES[language]
    bought = checkout(texts).click("b").request("POST", f"{SITE}/p", 200).wait(0.4)
    found = kinds(bought.load(f"{SITE}/b", f"<h1>{texts['bought']}</h1><p>R-1</p>").leave(6))
    assert "conversion" in found
    assert not found & {"abandoned_form", "error_shown", "goal_missed"}
    page = "<h1>A</h1><form><input id='m' name='n'><button id='b'>OK</button></form><div id='o'></div>"
    saving = Browser().load(f"{SITE}/s", page).wait(2).type("m", "abc").click("b").request("PUT", f"{SITE}/p", 200)
    found = kinds(saving.wait(0.4).fill("o", f"<div role='status'>{texts['saved']}</div>").wait(3).leave(6))
    assert "task_completed" in found
    assert "error_shown" not in found


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_search_without_result(language: str) -> None:
    texts = LANGUAGES[language]
    page = f"<input id='q' placeholder='{texts['search']}'><div id='o'><p>A</p></div>"
    searching = Browser().load(f"{SITE}/l", page).wait(2).type("q", "zzz").wait(0.5)
    found = kinds(searching.fill("o", f"<p>{texts['nothing']}</p>").wait(3).leave(6))
    assert "empty_search" in found
    assert not found & {"error_shown", "abandoned_form"}


@pytest.mark.parametrize("tag", ["canvas", "video", "iframe"])
def test_nobody_can_say_that_what_is_not_recorded_did_not_react(tag: str) -> None:
    drawing = Browser().load(f"{SITE}/draw", f"<div><{tag} id='c'></{tag}></div>").wait(3).click("c", 6, 0.3).wait(5)
    assert not kinds(drawing.click("c").leave(6)) & {"dead_click", "rage_click", "goal_missed"}

"""Messages and acts in German, French, Spanish and Portuguese are understood as the English ones are."""

import pytest

from consumers.scanning.evidence import Evidence, build_evidence
from consumers.scanning.evidence.vocabulary import conversion, dismisses, tone
from tests.scanning.browser import Browser

TONES = {
    "empty": (
        "Keine Ergebnisse für „Zelt“",
        "Es wurden leider keine passenden Produkte gefunden",
        "Aucun résultat pour « tente »",
        "Aucun produit ne correspond à votre recherche",
        "No se han encontrado resultados",
        "Sin resultados",
        "Nenhum produto encontrado",
        "Sem resultados para esta pesquisa",
    ),
    "declined": (
        "Ihre Karte wurde abgelehnt.",
        "Votre carte a été refusée",
        "Su tarjeta ha sido rechazada",
        "Pagamento recusado pelo banco",
    ),
    "denied": (
        "Sie haben keine Berechtigung für diese Aktion",
        "Accès refusé",
        "No tienes permiso para ver esta página",
        "Você não tem permissão para isso",
    ),
    "server": (
        "Da ist etwas schiefgelaufen",
        "Die Daten konnten nicht gespeichert werden",
        "Une erreur est survenue, veuillez réessayer plus tard",
        "Ha ocurrido un error inesperado",
        "Algo deu errado. Tente novamente",
        "Não foi possível salvar",
    ),
    "missing_page": (
        "Seite nicht gefunden",
        "Page introuvable",
        "Página no encontrada",
        "Página não encontrada",
    ),
    "validation": (
        "Bitte geben Sie eine gültige Adresse ein",
        "Das Passwort ist zu kurz",
        "Ce champ est obligatoire",
        "Veuillez saisir un numéro valide",
        "Este campo es obligatorio",
        "Introduce un correo válido",
        "Campo obrigatório",
        "Selecione uma opção",
    ),
    "success": (
        "Ihre Änderungen wurden gespeichert",
        "Vos modifications ont été enregistrées",
        "Los cambios se han guardado con éxito",
        "Alterações salvas com sucesso",
    ),
    "progress": (
        "Bitte warten",
        "Bericht wird erstellt",
        "Chargement…",
        "Cargando datos",
        "Aguarde um instante",
    ),
    "step": (
        "In den Warenkorb gelegt",
        "Ajouté au panier",
        "Añadido al carrito",
        "Adicionado ao carrinho",
    ),
    "": (
        "Unsere Öffnungszeiten",
        "Livraison en 3 jours",
        "Nuestros productos",
        "Sobre nós",
    ),
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in TONES.items() for text in texts])
def test_the_tone_of_a_message(kind: str, text: str) -> None:
    assert tone(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        "Vielen Dank für Ihre Bestellung",
        "Bestellnummer 4711",
        "Merci pour votre commande",
        "Votre paiement a été accepté",
        "Gracias por tu compra",
        "Pedido confirmado",
        "Obrigado pelo seu pedido",
        "Pagamento aprovado",
    ],
)
def test_a_conversion(text: str) -> None:
    assert conversion(text)


@pytest.mark.parametrize("name", ["Abbrechen", "Schließen", "Annuler", "Non merci", "Cancelar", "Ahora no", "Fechar"])
def test_controls_that_send_nothing(name: str) -> None:
    assert dismisses(name)


def evidence(browser: Browser) -> Evidence:
    return build_evidence(browser.leave())


def kinds(browser: Browser) -> set[str]:
    return {signal.kind for signal in evidence(browser).signals}


SEARCHES = [
    ("Suchen nach", "Keine Treffer"),
    ("Rechercher un produit", "Aucun résultat"),
    ("Buscar productos", "No hay resultados"),
    ("Pesquisar", "Nenhum resultado encontrado"),
]


@pytest.mark.parametrize(("placeholder", "answer"), SEARCHES)
def test_a_search_in_vain(placeholder: str, answer: str) -> None:
    browser = Browser().load(
        "https://a.example/", f"<main><input id='q' placeholder='{placeholder}'><div id='r'></div>"
    )
    browser.wait(3).type("q", "xyz").wait(0.2).fill("r", f"<p>{answer}</p>")
    assert "empty_search" in kinds(browser)


FORMS = [
    (
        "Telefon",
        "Absenden",
        "Bitte geben Sie eine gültige Nummer ein",
        "Danke, wir melden uns: Ihre Anfrage wurde gesendet",
    ),
    ("Téléphone", "Envoyer", "Veuillez saisir un numéro valide", "Merci, votre demande a été envoyée"),
    ("Teléfono", "Enviar", "Introduce un número válido", "Gracias, tu mensaje ha sido enviado"),
    ("Telefone", "Enviar", "Número inválido", "Mensagem enviada com sucesso"),
]


@pytest.mark.parametrize(("label", "button", "refusal", "thanks"), FORMS)
def test_a_form_refused_twice_and_then_accepted(label: str, button: str, refusal: str, thanks: str) -> None:
    body = f"<label>{label}<input id='f'></label><div id='b'>{button}</div><div id='n'></div>"
    body = body.replace("<div id='b'>", "<div id='b' class='btn'>")
    browser = Browser().load("https://a.example/", f"<main>{body}</main>").wait(3)
    for n in range(2):
        browser.type("f", f"1{n}").click("b").wait(0.4).fill("n", f"<p>{refusal}</p>").wait(2).fill("n", "").wait(1)
    assert {"validation_error", "validation_loop", "abandoned_form"} <= kinds(browser)
    browser.type("f", "12345").click("b").wait(0.4).fill("n", f"<p>{thanks}</p>").wait(2)
    signals = kinds(browser)
    assert "task_completed" in signals
    assert "abandoned_form" not in signals


ORDERS = [
    ("kasse", "Zahlungspflichtig bestellen", "Vielen Dank für Ihre Bestellung", "Ihre Karte wurde abgelehnt"),
    ("paiement", "Valider la commande", "Merci pour votre commande", "Votre carte a été refusée"),
    ("pago", "Realizar pedido", "Gracias por tu compra", "Tu tarjeta ha sido rechazada"),
    ("pagamento", "Finalizar compra", "Obrigado pelo seu pedido", "Pagamento recusado"),
]


@pytest.mark.parametrize(("path", "act", "thanks", "refusal"), ORDERS)
def test_an_order_goes_through_or_is_given_up(path: str, act: str, thanks: str, refusal: str) -> None:
    def checkout() -> Browser:
        form = f"<form><label>Name<input id='f'></label><button id='b'>{act}</button></form><div id='n'></div>"
        return Browser().load(f"https://a.example/{path}", f"<main><h1>x</h1>{form}</main>").wait(3).type("f", "abc")

    done = checkout().click("b").wait(0.5).load("https://a.example/ok", f"<main><h1>{thanks}</h1></main>").wait(2)
    assert "conversion" in kinds(done)
    refused = checkout().click("b").wait(0.5).fill("n", f"<p role='alert'>{refusal}</p>").wait(2)
    assert {"error_shown", "checkout_given_up"} <= kinds(refused)
    assert "conversion" not in kinds(refused)

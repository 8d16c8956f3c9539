# ruff: noqa: E501, RUF001 - a table of patterns: each row is one way to say it, with either apostrophe
"""What interfaces say in German, French and Spanish, by the same kinds of text as the English of the vocabulary.

As there, no word belongs to one site; each list holds what interfaces of any kind say.
"""

import re
from typing import Final

_GERMAN: Final = {
    "empty": r"\bkeine? (?:\w+ ){0,3}(?:ergebnisse?|treffer|übereinstimmung\w*|einträge|artikel|produkte|daten|angebote)\b|\bnichts (?:passendes )?gefunden|\b0 (?:ergebnisse|treffer)|\bnicht fündig",
    "declined": r"\bkarte\b.{0,40}\b(?:abgelehnt|nicht akzeptiert)|\bzahlung\b.{0,40}\b(?:abgelehnt|fehlgeschlagen|nicht (?:möglich|erfolgreich|durchgeführt|autorisiert))|\bandere[nr]? (?:karte|zahlungs\w+)|\bnicht gedeckt",
    "denied": r"\b(?:keine?|fehlende|nicht die|unzureichende) (?:\w+ )?(?:berechtigung\w*|rechte|zugriff\w*|zugang)|\bzugriff (?:\w+ )?(?:verweigert|nicht)|\bnicht (?:berechtigt|erlaubt|gestattet|befugt|autorisiert)|\bnur (?:für )?(?:admin\w*|eigentümer|mitglieder)",
    "server": r"\bschief ?gelaufen|\bein (?:\w+ )?fehler ist aufgetreten|\bes ist ein (?:\w+ )?fehler|\b(?:server|netzwerk|verbindungs)-?fehler|\b(?:interner|unerwarteter|technischer) fehler|\b(?:später|gleich) (?:noch ?ein ?mal|erneut|wieder)|\b(?:konnten?|kann|können) (?:\w+ ){0,4}nicht (?:\w+ )?(?:geladen|gespeichert|gesendet|erreicht|verarbeitet|abgeschlossen|erstellt|aktualisiert|gelöscht|hochgeladen|ausgeführt|durchgeführt|verbunden|hergestellt)|\b(?:vorübergehend |derzeit |momentan |zurzeit )?nicht (?:verfügbar|erreichbar)|\bzeitüberschreitung|\bverbindung (?:\w+ )?(?:verloren|unterbrochen|fehlgeschlagen)",
    "missing_page": r"\b(?:seite|adresse|artikel|inhalt)\b.{0,30}\b(?:nicht gefunden|existiert nicht|gibt es nicht|nicht mehr)|\bnicht gefunden\b",
    "validation": r"\bbitte (?:geben|wählen|füllen|prüfen|überprüfen|korrigieren|akzeptieren|stimmen|bestätigen|tragen|eine? \w+ (?:eingeben|wählen))\b|\bpflichtfeld|\berforderlich\b|\bungültig\w*|\bkeine gültige|\bm(?:uss|üssen) (?:\w+ ){0,6}(?:sein|enthalten|haben|ausgefüllt|angegeben|bestehen|übereinstimmen|werden|akzeptieren)|\bdarf nicht leer|\b(?:mindestens|höchstens) \d+|\bzu (?:kurz|lang|schwach|groß|klein)\b|\bstimm(?:t|en) nicht überein|\bbereits (?:vergeben|registriert|verwendet|vorhanden)|\bfalsche[sr]? (?:format|passwort|kennwort|eingabe)|\bfehlende[rs]? (?:angabe|eingabe|wert)|\bunvollständig",
    "error": r"\bfehler(?:haft|meldung)?\b|\bfehlgeschlagen|\bgescheitert|\bleider\b|\bnicht möglich|\babgelehnt\b|\bverweigert|\babgelaufen|\bgesperrt\b|\bausverkauft|\bhoppla|\bentschuldigung",
    "progress": r"^\W*(?:bitte warten|einen moment|lädt\b|laden\W*$|wird (?:geladen|gespeichert|gesendet|verarbeitet|vorbereitet))",
    "success": r"\b(?:gespeichert|erfolgreich\w*|vielen dank|danke|bestätigt|abgeschlossen|erstellt|gesendet|verschickt|übermittelt|erhalten|aktualisiert|hinzugefügt|entfernt|gelöscht|veröffentlicht|eingeladen|gebucht|reserviert|aktiviert|abonniert|registriert|angemeldet|willkommen|fertig|geändert|hochgeladen|heruntergeladen|exportiert|kopiert|übernommen|erledigt)\b",
    "step": r"\b(?:zum|in den|im) (?:warenkorb|einkaufswagen)|\bmerkzettel|\bauf lager\b",
    "conversion": r"\b(?:bestellung|buchung|reservierung|kauf|zahlung|spende|termin)\b.{0,40}\b(?:bestätigt|eingegangen|erfolgreich|abgeschlossen|erhalten|aufgegeben)|\bdank\b.{0,30}\b(?:bestellung|einkauf|kauf|buchung|zahlung|spende|reservierung|anmeldung)|\b(?:abo|abonnement|tarif|testphase|mitgliedschaft)\b.{0,30}\b(?:aktiv|aktiviert|gestartet|bestätigt|abgeschlossen)|\b(?:bestell|buchungs|auftrags|reservierungs)-?nummer",
    "account": r"\b(?:konto|profil|registrierung|einrichtung)\b.{0,30}\b(?:erstellt|angelegt|abgeschlossen|fertig|bestätigt|eingerichtet)|\bwillkommen\b|\balles (?:bereit|fertig|eingerichtet)",
    "checkout": r"\b(?:kasse|zahlung|bezahlung|zahlungsart|buchung|reservierung)\b",
    "checkout_act": r"\b(?:kaufen|bestellen|bezahlen|zahlungspflichtig|kostenpflichtig|spenden|reservieren|jetzt buchen|bestellung (?:aufgeben|abschicken|abschließen))\b",
    "upgrade_act": r"\b(?:abonnieren|upgraden|(?:tarif|plan|paket|abo) (?:wählen|wechseln|buchen|abschließen)|testphase starten)\b",
    "on_the_way": r"\b(?:weiter|zurück|fortfahren|zur kasse)\b",
    "sign_up": r"\bregistrier\w*|\bkonto (?:erstellen|anlegen|eröffnen)",
    "onboarding": r"\b(?:einrichtung|erste schritte|willkommen|schritt)\b",
    "done_path": r"(?:^|[/_-])(?:danke|vielen-dank|bestaetigung|bestätigung)(?:$|[/_-])",
    "stepper": r"^\W*(?:weiter|zurück|mehr|weniger)\W*$",
    "information": r"\b(?:ansehen|anzeigen|mehr erfahren|hilfe|vorschau|bilder?)\b",
    "negative": r"\b(?:nicht|keine?[nmrs]?|ohne|nur|erst)\b",
    "dismiss": r"^\W*(?:abbrechen|schließen|nein,? danke|später|überspringen|verwerfen|zurücksetzen)\W*$",
    "apology": r"^\W*(?:es tut uns leid|entschuldigung|hoppla|leider|(?:diese|die) seite|ein fehler)\b",
    "negated": r"\bnicht\b|\bstorniert|\babgelehnt|\bfehlgeschlagen",
    "search_field": r"\b(?:suchen?|suchbegriff|filtern?)\b",
    "submit": r"\b(?:absenden|senden|speichern|anmelden|registrieren|bestätigen|erstellen|übernehmen)\b",
}  # fmt: skip
_FRENCH: Final = {
    "empty": r"\baucune? (?:\w+ ){0,2}(?:résultats?|produits?|articles?|éléments?|correspondances?|données?|offres?)\b|\brien (?:n'a été )?trouvé|\b0 résultats?|\bpas de résultats?|\bsans résultat",
    "declined": r"\b(?:carte|paiement|transaction)\b.{0,40}\b(?:refusée?|rejetée?|échoué|déclinée?)|\bautre (?:carte|moyen de paiement)|\b(?:fonds|provision) insuffisant",
    "denied": r"\b(?:pas|sans|aucune)\b.{0,14}\b(?:autorisation|permission|droits?|accès)\b|\baccès (?:refusé|interdit|non autorisé)|\bnon autorisée?|\bréservée? aux (?:admin\w*|membres|propriétaires)|\bpas autorisée?",
    "server": r"\bune erreur (?:\w+ )?(?:est survenue|s['’]est produite|serveur|interne|inattendue)|\berreur (?:serveur|interne|réseau|inattendue|de connexion)|\bréessay(?:er|ez)|\bun problème (?:est survenu|s['’]est produit)|\b(?:service|serveur|site|page)\b.{0,20}\bindisponible|\bimpossible (?:de |d['’])\s?(?:charger|enregistrer|envoyer|sauvegarder|traiter|se connecter|contacter|joindre|terminer|créer|effectuer)|\bn['’]a pas pu être \w+|\bdélai .{0,12}dépassé|\bconnexion (?:perdue|interrompue)",
    "missing_page": r"\bpage\b.{0,30}\b(?:introuvable|n['’]existe (?:pas|plus)|non trouvée)|\bintrouvable\b",
    "validation": r"\bveuillez (?:saisir|entrer|indiquer|choisir|sélectionner|remplir|renseigner|vérifier|corriger|accepter|compléter|fournir|cocher)|\b(?:est|sont) (?:obligatoires?|requise?s?|invalides?|incorrecte?s?|nécessaires?)|\bobligatoires?\b|\bchamps? requis|\binvalide\b|\bnon valide|\bn['’]est pas (?:valide|correcte?|reconnue?)|\bdoi(?:t|vent) (?:contenir|être|comporter|correspondre|avoir|faire)|\bau (?:moins|plus|maximum) \d+|\btrop (?:court|long|faible|grand|petit)e?|\bne correspond(?:ent)? pas|\bdéjà (?:utilisée?|prise?|enregistrée?)|\bmanquante?s?\b|\bincomplète?",
    "error": r"\berreurs?\b|\béchec\b|\béchoué|\bdésolée?s?\b|\bproblème\b|\bimpossible\b|\brefusée?\b|\bexpirée?\b|\bindisponible|\bbloquée?\b|\boups\b|\bmalheureusement|\bépuisé|\brupture de stock",
    "progress": r"^\W*(?:veuillez patienter|chargement|un instant|traitement en cours|enregistrement\W*$|envoi en cours)",
    "success": r"\b(?:enregistrée?s?|succès|merci|confirmée?s?|terminée?s?|créée?s?|envoyée?s?|reçue?s?|mise? à jour|ajoutée?s?|supprimée?s?|publiée?s?|réservée?s?|activée?s?|abonnée?s?|inscrite?s?|bienvenue|modifiée?s?|téléchargée?s?|exportée?s?|copiée?s?|félicitations|validée?s?|effectuée?s?)\b",
    "step": r"\bau panier\b|\bfavoris\b|\ben stock\b",
    "conversion": r"\b(?:commande|réservation|achat|paiement|rendez-vous)\b.{0,40}\b(?:confirmée?|validée?|acceptée?|enregistrée?|reçue?|effectuée?|réussie?)\b|\bmerci\b.{0,30}\b(?:commande|achat|réservation|paiement|inscription|abonnement)|\b(?:abonnement|forfait|essai|adhésion)\b.{0,30}\b(?:activée?|active?|confirmée?|commencé)\b|\bnuméro de (?:commande|réservation)",
    "account": r"\b(?:compte|profil|inscription)\b.{0,30}\b(?:créée?|terminée?|prête?|confirmée?)\b|\bbienvenue\b|\btout est prêt",
    "checkout": r"\b(?:paiement|caisse|passer (?:la )?commande|réservation)\b",
    "checkout_act": r"\b(?:payer|acheter|commander|passer (?:la )?commande|réserver|régler|valider (?:la |ma |votre )?commande)\b",
    "upgrade_act": r"\b(?:s['’]abonner|choisir (?:cette offre|ce forfait|cet abonnement)|passer (?:à|au) (?:l['’]offre |plan )?(?:pro|premium|supérieur\w*))\b",
    "on_the_way": r"\b(?:continuer|suivant|retour|précédent)\b",
    "sign_up": r"\bs['’]inscrire|\binscription|\bcréer (?:un |mon )?compte",
    "onboarding": r"\b(?:configuration|premiers pas|bienvenue|étape)\b",
    "done_path": r"(?:^|[/_-])(?:merci|remerciement)(?:$|[/_-])",
    "stepper": r"^\W*(?:suivant|précédent|moins)\W*$",
    "information": r"\b(?:voir|afficher|en savoir plus|aide|aperçu)\b",
    "negative": r"\b(?:pas|jamais|sans|seulement|aucune?)\b",
    "dismiss": r"^\W*(?:annuler|fermer|non,? merci|plus tard|ignorer|réinitialiser)\W*$",
    "apology": r"^\W*(?:désolée?s?|oups|cette page|la page|une erreur|erreur)\b",
    "negated": r"\bn(?:['’]|e\b).{0,14}\bpas\b|\bannulée?|\brefusée?|\béchou",
    "search_field": r"\b(?:recherche[rz]?|filtrer?|mot[- ]clé)\b",
    "submit": r"\b(?:envoyer|enregistrer|valider|s['’]inscrire|confirmer|créer|se connecter)\b",
}  # fmt: skip
_SPANISH: Final = {
    "empty": r"\bno (?:se )?(?:han? |hay |hemos )?(?:encontr\w+ |existen )?(?:\w+ ){0,2}(?:resultados?|coincidencias|productos|artículos|elementos|registros)\b|\bsin (?:resultados|coincidencias)|\bningún resultado|\b0 resultados|\bnada encontrado",
    "declined": r"\b(?:tarjeta|pago|transacción)\b.{0,40}\b(?:rechazad[oa]|denegad[oa]|fallid[oa]|fallado|no (?:se pudo|ha sido))\b|\botra tarjeta|\botro (?:método|medio) de pago|\bfondos insuficientes",
    "denied": r"\b(?:no tienes?|sin|no dispone de|faltan?) (?:\w+ ){0,2}(?:permisos?|autorización|acceso|derechos)\b|\bacceso (?:denegado|restringido|no autorizado)|\bno (?:está|estás) autorizad[oa]|\bsolo (?:para )?(?:los )?(?:admin\w*|propietarios|miembros)\b",
    "server": r"\b(?:ha ocurrido|se (?:ha )?produ\w+|ocurrió|hubo) un (?:\w+ )?(?:error|problema|fallo)|\berror (?:del servidor|interno|inesperado|de red|de conexión)|\balgo (?:ha salido|salió|fue) mal|\b(?:inténtalo|inténtelo|intente|intentarlo)\b.{0,20}\b(?:más tarde|de nuevo|nuevamente)|\bno (?:se ha podido|se pudo|hemos podido|pudimos) \w+|\bno disponible|\bfuera de servicio|\btiempo de espera (?:agotado|excedido)|\bconexión (?:perdida|interrumpida)",
    "missing_page": r"\bpágina\b.{0,30}\b(?:no (?:se )?(?:ha )?(?:encontr\w+|existe)|no encontrada)|\bno encontrad[oa]\b",
    "validation": r"\b(?:introdu(?:ce|zca)|ingres[ae]|indi(?:ca|que)|seleccion[ae]|elig?ja|elige|rellen[ae]|acept[ae]|escrib[ae]|revis[ae]|corri(?:ge|ja)|verifi(?:ca|que)) (?:un|una|el|la|los|las|tu|su|al|este|todos)\b|\bobligatori[oa]s?\b|\brequerid[oa]s?\b|\binválid[oa]s?|\bno (?:es |son )?(?:válid|correct)[oa]s?|\bdeben? (?:ser|contener|tener|coincidir|aceptar|incluir|estar)|\b(?:al menos|como (?:mínimo|máximo)) \d+|\bdemasiado (?:cort|larg|pequeñ)[oa]|\bno coinciden?|\bya (?:está (?:en uso|registrad\w+)|existe)|\bformato (?:incorrecto|no válido)|\bincomplet[oa]s?\b",
    "error": r"\berror(?:es)?\b|\bfall[oó]\b|\bfallid[oa]|\blo sentimos|\bproblema\b|\bimposible\b|\brechazad[oa]|\bdenegad[oa]|\bcaducad[oa]|\bexpirad[oa]|\bbloquead[oa]|\bagotad[oa]|\bdisculp",
    "progress": r"^\W*(?:espere|espera un|cargando|un momento|guardando|procesando|enviando)",
    "success": r"\b(?:guardad[oa]s?|éxito|gracias|confirmad[oa]s?|completad[oa]s?|cread[oa]s?|enviad[oa]s?|recibid[oa]s?|actualizad[oa]s?|añadid[oa]s?|agregad[oa]s?|eliminad[oa]s?|publicad[oa]s?|reservad[oa]s?|activad[oa]s?|suscrit[oa]s?|registrad[oa]s?|bienvenid[oa]s?|modificad[oa]s?|descargad[oa]s?|exportad[oa]s?|copiad[oa]s?|felicidades|correctamente|realizad[oa]s?)\b",
    "step": r"\b(?:al carrito|a la cesta|a favoritos)\b|\ben existencias\b",
    "conversion": r"\b(?:pedido|reserva|compra|pago|donación|cita)\b.{0,40}\b(?:confirmad|realizad|completad|recibid|aceptad|aprobad)[oa]|\bgracias\b.{0,30}\b(?:compra|pedido|reserva|pago|donación|registr\w+|suscri\w+)|\b(?:suscripción|prueba|membresía)\b.{0,30}\b(?:activ|confirmad|iniciad)\w*|\bnúmero de (?:pedido|reserva)",
    "account": r"\b(?:cuenta|perfil|registro)\b.{0,30}\b(?:cread[oa]|completad[oa]|list[oa]|confirmad[oa])\b|\bbienvenid[oa]\b|\btodo listo",
    "checkout": r"\b(?:pago|finalizar (?:la )?compra|tramitar|reserva)\b",
    "checkout_act": r"\b(?:pagar|comprar|(?:realizar|hacer|tramitar) (?:el )?pedido|finalizar (?:la )?compra|reservar|donar)\b",
    "upgrade_act": r"\b(?:suscribirse|suscribirme|mejorar (?:el |de )?plan|elegir (?:este )?plan|cambiar de plan|prueba gratuita)\b",
    "on_the_way": r"\b(?:continuar|siguiente|volver|atrás)\b",
    "sign_up": r"\bregistrar(?:se|me)?\b|\bregistro\b|\bregístrate|\bcrear (?:una |mi )?cuenta",
    "onboarding": r"\b(?:primeros pasos|bienvenid[oa]|paso)\b",
    "done_path": r"(?:^|[/_-])(?:gracias|confirmacion|exito)(?:$|[/_-])",
    "stepper": r"^\W*(?:siguiente|anterior|más|menos)\W*$",
    "information": r"\b(?:ver|mostrar|más información|ayuda)\b",
    "negative": r"\b(?:nunca|sin|solo|ningún|ninguna)\b",
    "dismiss": r"^\W*(?:cancelar|cerrar|no,? gracias|más tarde|omitir|descartar|restablecer)\W*$",
    "apology": r"^\W*(?:lo sentimos|vaya|esta página|la página)\b",
    "negated": r"\bno (?:ha|se|fue|está|pudo)\b|\bcancelad|\brechazad",
    "search_field": r"\b(?:buscar|búsqueda|busca|filtrar)\b",
    "submit": r"\b(?:enviar|guardar|registrarse|confirmar|crear|iniciar sesión)\b",
}  # fmt: skip


_ANYWHERE: Final = {
    "instruction": (
        r"\b(?:ignor\w*|missacht\w*|vergiss|vergesst|oubli\w*|olvid\w*|dimentica\w*|esquec\w*|desconsider\w*)\b.{0,60}\b(?:anweisung\w*|instruktion\w*|regeln|instructions?|consignes?|règles|instrucciones|órdenes|reglas|istruzioni|regole|instruções|regras)"
        r"|\bantworte (?:\w+ )?mit\b|\bréponds\b|\brispondi\b|\bresponde\b"
        r"|(?:忽略|无视|無視|忽视).{0,20}(?:指令|指示|说明|提示|規則)|(?:所有|全部)问题.{0,10}回答|(?:指示|命令).{0,10}無視|지시.{0,10}무시"
        r"|игнорируй\w*|забудь.{0,20}(?:инструкци|правил)|отвеча(?:й|йте)|تجاهل|التعليمات|أجب"
    )
}
"""What is said to whoever reads a recording, in any language: here one is enough to keep a text out of answers."""


def spoken(kind: str, english: str) -> re.Pattern[str]:
    """The pattern of a kind of text: as the vocabulary says it in English, and as it is said in other languages."""
    others = (language[kind] for language in (_GERMAN, _FRENCH, _SPANISH, _ANYWHERE) if kind in language)
    return re.compile("|".join((english, *others)), re.IGNORECASE)

# ruff: noqa: E501 - a table of patterns: the words of one language stay together
"""German, French, Spanish and Portuguese interface words, by what they say; vocabulary.py adds them to its English ones.

General words only, none of one site; each alternative stands at the beginning of a word. Words that mean something else in English, or in another of these languages, are left out or stand with a second word.
"""

from typing import Final

_EMPTY: Final = (
    r"keine? (?:\w+ ){0,3}(?:gefunden|vorhanden|verfügbar|ergebnisse|treffer)|nichts (?:gefunden|vorhanden)|(?:0|ohne) (?:ergebnis\w*|treffer)",
    r"aucune? (?:\w+ ){0,3}(?:trouvée?s?|disponibles?|correspond\w*)|aucune? (?:résultat|correspondance)s?|pas de résultats?|rien trouvé|0 résultats?|n'(?:avons|a) (?:rien|pas) trouvé",
    r"(?:sin|ningún|0|no hay) (?:resultados?|coincidencias)|no (?:se )?(?:ha |han |hemos )?(?:encontr\w+|hay) (?:ningún|ninguna|nada|resultados?|coincidencias|productos|artículos)|nada encontrado",
    r"(?:sem|nenhum|0|não há) (?:resultados?|correspondências)|nenhuma? (?:\w+ ){0,3}(?:encontrad[oa]s?|disponível)|não (?:foram |foi )?encontr\w+ (?:nenhum|nada|resultados?|produtos)",
)
_DECLINED: Final = (
    r"(?:karte|zahlung|transaktion)\b.{0,40}\b(?:abgelehnt|fehlgeschlagen|verweigert|nicht (?:akzeptiert|möglich|erfolgreich|durchgeführt))|andere (?:karte|zahlungs\w+)",
    r"(?:carte|paiement|transaction)\b.{0,40}\b(?:refusée?|rejetée?|échoué|pas (?:été )?acceptée?)|autre (?:carte|moyen de paiement)|fonds insuffisants",
    r"(?:tarjeta|pago|transacción)\b.{0,40}\b(?:rechazad[oa]|denegad[oa]|fallid[oa]|no (?:fue |se )?acept\w+)|otra tarjeta|fondos insuficientes",
    r"(?:cartão|pagamento|transação)\b.{0,40}\b(?:recusad[oa]|rejeitad[oa]|negad[oa]|falhou|não (?:foi )?(?:aceit\w+|autorizad\w+))|outro cartão|saldo insuficiente",
)
_DENIED: Final = (
    r"(?:keine|fehlende) (?:berechtigung|rechte|zugriffsrechte)\w*|zugriff (?:\w+ )?(?:verweigert|nicht erlaubt)|nicht (?:berechtigt|erlaubt|gestattet|autorisiert)|nur (?:administratoren|admins|inhaber)",
    r"accès (?:refusé|interdit)|(?:pas|aucune?) (?:l'|la |d'|de )?(?:autorisation|permission|droit)s?|non autorisée?|réservée? aux (?:administrateurs|abonnés|membres)",
    r"acceso (?:denegado|restringido)|(?:no tienes?|sin) (?:los )?(?:permisos?|autorización|acceso)|no (?:estás? )?(?:autorizado|permitido)|solo (?:administradores|miembros)",
    r"acesso (?:negado|restrito)|(?:não tem|sem) (?:permissão|autorização|acesso)|não (?:autorizado|permitido)|apenas (?:administradores|membros)",
)
_SERVER: Final = (
    r"schief ?ge(?:gangen|laufen)|(?:server|netzwerk|verbindungs|system)(?:fehler|problem)|(?:interner|unerwarteter|unbekannter) fehler|(?:derzeit|vorübergehend) nicht (?:erreichbar|verfügbar)|(?:später|erneut|noch ?einmal) (?:erneut |noch ?einmal |wieder )?versuchen|versuchen sie es (?:später|erneut|noch)|zeitüberschreitung|(?:konnten?|kann|können) (?:\w+ ){0,4}nicht (?:\w+ )?(?:geladen|gespeichert|gesendet|verarbeitet|erstellt|aktualisiert|gelöscht|hochgeladen|heruntergeladen|hinzugefügt|abgerufen|ausgeführt|abgeschlossen)",
    r"(?:une erreur|un problème) (?:est|s'est) (?:survenue?|produite?)|erreur (?:serveur|interne|réseau|inattendue|inconnue|technique)|(?:temporairement|actuellement) indisponible|réessa\w+|délai (?:d'attente )?dépassé|(?:impossible de|n'ont? pas pu|n'avons pas pu) \w+",
    r"(?:ha salido|salió|fue) mal|(?:error|problema) (?:del servidor|interno|de red|de conexión|inesperado|desconocido)|(?:ha ocurrido|ocurrió|se produjo|se ha producido) un (?:error|problema)|temporalmente no disponible|(?:inténta\w+|intente|vuelv[ae] a intentar\w*) ?(?:de nuevo|más tarde|otra vez)?|tiempo de espera|no (?:se )?(?:ha |han |hemos )?(?:pudo|podido|pudieron|pudimos) \w+",
    r"algo (?:deu|correu) (?:errado|mal)|(?:erro|problema) (?:do servidor|interno|de rede|de conexão|inesperado|desconhecido)|ocorreu um (?:erro|problema)|temporariamente indisponível|tente (?:novamente|mais tarde|de novo|outra vez)|tempo (?:limite )?(?:esgotado|excedido)|não foi possível \w+|não (?:conseguimos|pudemos) \w+",
)
_MISSING_PAGE: Final = (
    r"(?:seite|artikel|inhalt|adresse)\b.{0,30}\b(?:existiert nicht|nicht gefunden|nicht mehr)|(?:seite|adresse) gibt es (?:hier )?nicht",
    r"page (?:introuvable|non trouvée|inexistante)|(?:page|article|contenu)\b.{0,30}\b(?:n'existe (?:pas|plus)|introuvable)",
    r"(?:página|artículo|contenido)\b.{0,30}\bno (?:existe|encontrad[oa]|se (?:ha )?encontr\w+)",
    r"(?:página|artigo|conteúdo)\b.{0,30}\bnão (?:existe|(?:foi )?encontrad[oa])",
)
_VALIDATION: Final = (
    r"pflichtfeld\w*|erforderlich|(?:bitte|geben sie|wählen sie) (?:\w+ ){0,4}(?:ein|eingeben|aus|auswählen|ausfüllen|an|angeben|überprüfen|prüfen|korrigieren|bestätigen)\b|ungültig\w*|(?:mindestens|höchstens|maximal) (?:\d+|ein\w*|zwei)|zu (?:kurz|lang|klein|groß|schwach)|darf nicht|stimm(?:t|en) nicht|bereits (?:vergeben|registriert|verwendet|vorhanden)|falsch(?:es|er|e)? (?:passwort|format|kennwort|code)|muss (?:\w+ ){0,4}(?:enthalten|sein|haben|beginnen)|fehlt\b",
    r"(?:champs? |est |sont )(?:obligatoires?|requise?s?)|obligatoires?\b|(?:veuillez|merci de) (?:\w+ ){0,3}?(?:saisir|entrer|choisir|sélectionner|remplir|renseigner|vérifier|corriger|indiquer|accepter|cocher)|(?:non |n'est pas |pas )valides?|invalides?\b|au (?:moins|plus|maximum|minimum) (?:\d+|une?)|trop (?:court|long|petit|grand)\w*|ne (?:peut|doit) pas être|ne correspond(?:ent)? pas|déjà (?:utilisée?|prise?|enregistrée?)|incorrecte?s?\b|doit (?:contenir|être|comporter|avoir)",
    r"(?:obligatori[oa]|requerid[oa])s?\b|(?:introduce|introduzca|ingres[ae]|escrib[ae]|elige|elija|seleccion[ae]|rellen[ae]|complet[ae]|corrige|corrija) (?:un|una|el|los|las|tu|su|al menos)\b|no (?:es |son )?válid[oa]s?|inválid[oa]s?|(?:al menos|mínimo|como mínimo|máximo|como máximo) (?:de )?\d+|demasiado (?:cort|larg|pequeñ|grand)\w+|no puede (?:estar|ser)|no coinciden?|ya (?:está|existe|fue) (?:en uso|registrad\w+|usad\w+|una cuenta)|incorrect[oa]s?\b|debe (?:contener|ser|tener|incluir|empezar)",
    r"obrigatóri[oa]s?\b|(?:informe|insira|digite|introduza|escolha|selecione|preencha|corrija) (?:um|uma|o|a|os|as|seu|sua|pelo menos)\b|inválid[oa]s?|não (?:é|são) válid[oa]s?|(?:pelo menos|no mínimo|mínimo de|no máximo|máximo de) \d+|muito (?:curt|long|pequen|grand)\w+|não pode (?:estar|ser|ficar)|não (?:coincidem|correspondem|confere)|já (?:está|existe|foi) (?:em uso|cadastrad\w+|registad\w+|utilizad\w+|uma conta)|incorret[oa]s?\b|deve (?:conter|ser|ter|incluir)",
)
_ERROR: Final = (
    r"\w*fehler\b|fehlgeschlagen|leider|nicht (?:möglich|gespeichert|gesendet|erstellt|unterstützt|verfügbar)|abgelehnt|abgelaufen|gesperrt|ausverkauft|entschuldigung",
    r"erreurs?\b|échec|échoué|désolée?s?\b|refusée?|expirée?|bloquée?|rupture de stock|n'est pas (?:possible|disponible)|indisponible",
    r"errores\b|falló|ha fallado|lo sentimos|no (?:es posible|disponible)|rechazad[oa]|caducad[oa]|bloquead[oa]|agotad[oa]",
    r"erros?\b|falhou|desculpe|lamentamos|não (?:é possível|disponível)|indisponível|rejeitad[oa]|expirad[oa]|bloquead[oa]|esgotad[oa]",
)
_PROGRESS: Final = (
    r"bitte warten|einen (?:kleinen )?moment|(?:\w+ ){0,2}(?:wird|werden) (?:\w+ )?(?:geladen|gespeichert|gesendet|verarbeitet|vorbereitet|exportiert|gesucht|erstellt|geprüft)|(?:lade|speichere|sende|verarbeite|suche|prüfe)n? (?:\w+ ){0,3}\.\.\.|lädt\b|lade(?:n|vorgang)\b.{0,20}\.\.\.",
    r"veuillez patienter|un instant|chargement|(?:enregistrement|envoi|traitement|recherche|préparation|vérification) (?:en cours|\.\.\.)|(?:enregistrement|envoi|traitement|recherche|préparation)\.\.\.",
    r"espere|espera un|un momento|cargando|guardando|enviando|procesando|buscando|preparando|creando|actualizando|subiendo|descargando",
    r"aguarde|carregando|a carregar|salvando|a guardar|a enviar|processando|a processar|buscando|pesquisando|a pesquisar|preparando|criando|atualizando|baixando",
)
_SUCCESS: Final = (
    r"gespeichert|erfolgreich|danke|vielen dank|bestätigt|abgeschlossen|erstellt|gesendet|abgeschickt|verschickt|aktualisiert|hinzugefügt|entfernt|gelöscht|veröffentlicht|gebucht|reserviert|aktiviert|registriert|willkommen|hochgeladen|heruntergeladen|exportiert|importiert|eingeladen|geändert|verschoben|kopiert|bezahlt|(?:herzlichen )?glückwunsch",
    r"enregistrée?s?\b|succès|merci|confirmée?s?\b|terminée?s?\b|créée?s?\b|envoyée?s?\b|mis(?:e|es)? à jour|ajoutée?s?\b|supprimée?s?\b|publiée?s?\b|réservée?s?\b|activée?s?\b|bienvenue|téléchargée?s?\b|exportée?s?\b|importée?s?\b|modifiée?s?\b|copiée?s?\b|payée?s?\b|félicitations",
    r"guardad[oa]s?\b|(?:con )?éxito|exitosamente|gracias|confirmad[oa]s?\b|completad[oa]s?\b|cread[oa]s?\b|enviad[oa]s?\b|actualizad[oa]s?\b|añadid[oa]s?\b|agregad[oa]s?\b|eliminad[oa]s?\b|publicad[oa]s?\b|reservad[oa]s?\b|activad[oa]s?\b|registrad[oa]s?\b|bienvenid[oa]s?\b|listo\b|descargad[oa]s?\b|exportad[oa]s?\b|importad[oa]s?\b|modificad[oa]s?\b|copiad[oa]s?\b|felicidades|enhorabuena",
    r"salv[oa]s?\b|sucesso|obrigad[oa]\b|concluíd[oa]s?\b|criad[oa]s?\b|atualizad[oa]s?\b|adicionad[oa]s?\b|removid[oa]s?\b|excluíd[oa]s?\b|ativad[oa]s?\b|cadastrad[oa]s?\b|bem-vind[oa]s?\b|baixad[oa]s?\b|alterad[oa]s?\b|parabéns",
)
_STEP: Final = (
    r"(?:in den|zum) (?:warenkorb|einkaufswagen|merkzettel)\b.{0,20}(?:gelegt|hinzugefügt)|(?:warenkorb|wunschliste)\b.{0,30}\b(?:hinzugefügt|aktualisiert)",
    r"ajoutée? (?:à|au) (?:votre |ton )?(?:panier|liste|favoris)|panier mis à jour",
    r"(?:añadid[oa]|agregad[oa]) (?:al|a la|a tu) (?:carrito|cesta|lista|favoritos)",
    r"adicionad[oa] (?:ao|à) (?:carrinho|sacola|lista|favoritos)",
)
_CONVERSION: Final = (
    r"(?:bestellung|buchung|reservierung|spende)\b.{0,40}\b(?:bestätigt|aufgegeben|abgeschlossen|eingegangen|erfolgreich|erhalten)|danke? für (?:ihre|deine|ihren|deinen) (?:bestellung|buchung|spende|zahlung|reservierung|einkauf)|zahlung\b.{0,30}\b(?:erfolgreich|erhalten|bestätigt|abgeschlossen)|(?:bestell|buchungs|auftrags)nummer|(?:abo|abonnement|tarif)\b.{0,40}\b(?:aktiv|aktiviert|abgeschlossen|bestätigt)",
    r"(?:commande|réservation|achat|don)\b.{0,40}\b(?:confirmée?|passée|validée?|terminée?|reçue?|réussie?)|merci (?:pour|de) (?:votre|ta|ton) (?:commande|achat|réservation|don|paiement)|paiement\b.{0,30}\b(?:réussi|accepté|reçu|confirmé|effectué)|numéro de (?:commande|réservation)|abonnement\b.{0,40}\b(?:activé|confirmé|actif)",
    r"(?:pedido|compra|reserva|donación)\b.{0,40}\b(?:confirmad[oa]|realizad[oa]|completad[oa]|recibid[oa]|exitos[oa]|con éxito)|gracias por (?:tu|su) (?:pedido|compra|reserva|pago|donación)|pago\b.{0,30}\b(?:realizado|recibido|aceptado|confirmado|aprobado|exitoso|con éxito)|número de (?:pedido|reserva)|suscripción\b.{0,40}\b(?:activad[oa]|confirmad[oa])",
    r"(?:pedido|compra|reserva|doação|encomenda)\b.{0,40}\b(?:confirmad[oa]|realizad[oa]|concluíd[oa]|recebid[oa]|com sucesso)|obrigad[oa] (?:por|pela|pelo) (?:(?:seu|sua|tua|teu) )?(?:pedido|compra|reserva|pagamento|doação|encomenda)|pagamento\b.{0,30}\b(?:realizado|recebido|aceito|confirmado|aprovado|com sucesso)|número do pedido|assinatura\b.{0,40}\b(?:ativad[oa]|confirmad[oa])",
)
_CHECKOUT: Final = (
    r"kasse|zahlung|bezahlen|buchung|reservierung|zahlungspflichtig",
    r"paiement|caisse|réservation",
    r"pago\b|finalizar (?:la )?compra|reserva\b",
    r"pagamento|finalizar (?:a )?compra",
)
_CHECKOUT_ACT: Final = (
    r"(?:jetzt )?(?:bezahlen|kaufen|bestellen)\b|bestellung aufgeben|(?:jetzt )?buchen\b|reservieren|spenden\b|zur kasse",
    r"payer\b|acheter|commander|réserver|(?:passer|valider|confirmer) (?:la |ma |votre )?commande|faire un don",
    r"pagar\b|comprar\b|finalizar (?:la )?compra|(?:realizar|tramitar|confirmar) (?:el )?pedido|reservar\b|donar\b",
    r"(?:concluir|fechar|finalizar) (?:o )?pedido|finalizar (?:a )?compra|doar\b",
)
_UPGRADE_ACT: Final = (
    r"(?:tarif|plan|abo\w*) (?:wählen|wechseln|abschließen|starten|buchen)|(?:jetzt )?abonnieren|(?:kostenlos testen|testphase starten)",
    r"s'abonner|choisir cette (?:offre|formule)|passer (?:à|au) (?:pro|premium|plus)|(?:démarrer|commencer) (?:l'|mon )essai",
    r"suscrib\w+|(?:elegir|contratar|mejorar) (?:el |este )?plan|pasar(?:se|te)? a (?:pro|premium)|iniciar (?:la )?prueba",
    r"assinar\b|(?:escolher|contratar|mudar de) (?:o |este )?plano|fazer upgrade|iniciar (?:o )?teste",
)
_SIGN_UP: Final = (
    r"registrier\w+|konto (?:erstellen|anlegen|eröffnen)",
    r"s'inscrire|inscription|créer (?:un |mon |votre )?compte",
    r"registrar(?:se|te|me)?\b|registro\b|crear (?:una |mi |tu )?cuenta",
    r"cadastr\w+|criar (?:uma |minha )?conta|registar-se",
)
_DISMISS: Final = (
    r"abbrechen|schließen|zurück|nein,? danke|(?:vielleicht )?später|überspringen|verwerfen",
    r"annuler|fermer|retour|non,? merci|plus tard|passer|ignorer",
    r"cancelar|cerrar|volver|no,? gracias|más tarde|ahora no|omitir|descartar",
    r"fechar|voltar|não,? obrigad[oa]|mais tarde|agora não|pular",
)
_STEPPER: Final = (
    r"weiter|nächste\w*|vorherige\w*|mehr(?: laden| anzeigen)?|weniger",
    r"suivante?|précédente?|moins|(?:voir|charger) plus",
    r"siguiente|anterior|más|menos|(?:ver|cargar) más",
    r"próxim[oa]|mais|(?:ver|carregar) mais",
)
_INFORMATION: Final = (
    r"ansehen|anzeigen|details|mehr|hilfe|vorschau|bilder?\b|größentabelle",
    r"voir\b|afficher|détails|en savoir|aide\b|aperçu|guide",
    r"ver\b|mostrar|detalles|más|ayuda|vista previa|imagen|guía",
    r"detalhes|mais\b|ajuda|visualizar|imagem|guia",
)
_NEGATIVE: Final = (
    r"nicht\b|kein\w*|nie\b|ohne\b",
    r"ne\b|n'|pas\b|aucune?\b|jamais|sans\b",
    r"ningun\w*|nunca\b|sin\b",
    r"não\b|nenhuma?\b|sem\b",
)
_SEARCH: Final = (
    r"such\w*|finden|filter\w*",
    r"recherch\w*|trouver|filtr\w*",
    r"busc\w*|búsqueda",
    r"pesquis\w*|procur\w*",
)
_SUBMIT: Final = (
    r"absenden|senden|speichern|erstellen|anlegen|bestätigen|weiter|fertig|übernehmen|anwenden|hinzufügen|bezahlen|kaufen|bestellen|buchen|reservieren|anmelden|einloggen|registrieren|abonnieren|starten|veröffentlichen|einladen|löschen|entfernen|exportieren|importieren|hochladen|herunterladen|teilen|akzeptieren|ändern|zuweisen",
    r"envoyer|enregistrer|sauvegarder|créer|confirmer|continuer|suivant|terminer|appliquer|ajouter|payer|acheter|commander|réserver|connexion|connecter|s'inscrire|s'abonner|valider|publier|inviter|supprimer|exporter|importer|télécharger|partager|accepter|modifier",
    r"enviar|guardar|crear|confirmar|continuar|siguiente|terminar|aplicar|añadir|agregar|pagar|comprar|reservar|iniciar|entrar|registrar\w*|suscrib\w+|publicar|invitar|eliminar|borrar|exportar|importar|subir|descargar|compartir|aceptar|cambiar|finalizar",
    r"salvar|criar|avançar|concluir|adicionar|cadastrar\w*|assinar|convidar|excluir|remover|carregar|baixar|compartilhar|aceitar|alterar",
)
_DONE_PATH: Final = (
    r"danke|bestaetigung|bestätigung",
    r"merci",
    r"gracias|confirmacion|exito",
    r"obrigado|confirmacao|sucesso",
)

_ALL: Final = {
    "empty": _EMPTY,
    "declined": _DECLINED,
    "denied": _DENIED,
    "server": _SERVER,
    "missing_page": _MISSING_PAGE,
    "validation": _VALIDATION,
    "error": _ERROR,
    "progress": _PROGRESS,
    "success": _SUCCESS,
    "step": _STEP,
    "conversion": _CONVERSION,
    "checkout": _CHECKOUT,
    "checkout_act": _CHECKOUT_ACT,
    "upgrade_act": _UPGRADE_ACT,
    "sign_up": _SIGN_UP,
    "dismiss": _DISMISS,
    "stepper": _STEPPER,
    "information": _INFORMATION,
    "negative": _NEGATIVE,
    "search": _SEARCH,
    "submit": _SUBMIT,
    "done_path": _DONE_PATH,
}


def words(what: str) -> str:
    """The alternatives of all four languages, to be put into a group; ``what`` is a key of the table."""
    return "|".join(_ALL[what])


def also(what: str) -> str:
    """The same as one more alternative of a pattern, each at the beginning of a word."""
    return rf"|(?<!\w)(?:{words(what)})"

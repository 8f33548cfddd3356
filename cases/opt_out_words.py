"""The words of the page on which a customer says that they want no more notices, per language. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

FALLBACK = "en"


@dataclass(frozen=True)
class OptOutWords:
    title: str
    question: str
    stop: str
    stopped: str
    again: str
    going_on: str
    too_often: str


WORDS = {
    "en": OptOutWords(
        "Messages about your request",
        "Do you want no more automatic messages from this company?",
        "Send me no more messages",
        "You will get no more automatic messages. A person may still answer you.",
        "Send me messages again",
        "You will get messages again.",
        "That was too often. Please try again in a minute.",
    ),
    "de": OptOutWords(
        "Nachrichten zu Ihrem Anliegen",
        "Möchten Sie von diesem Unternehmen keine automatischen Nachrichten mehr?",
        "Keine Nachrichten mehr senden",
        "Sie erhalten keine automatischen Nachrichten mehr. Menschen können Ihnen weiterhin antworten.",
        "Wieder Nachrichten senden",
        "Sie erhalten wieder Nachrichten.",
        "Das war zu oft. Bitte versuchen Sie es in einer Minute noch einmal.",
    ),
    "es": OptOutWords(
        "Mensajes sobre su consulta",
        "¿Desea no recibir más mensajes automáticos de esta empresa?",
        "No enviarme más mensajes",
        "No recibirá más mensajes automáticos. Una persona todavía puede responderle.",
        "Volver a enviarme mensajes",
        "Volverá a recibir mensajes.",
        "Demasiados intentos. Vuelva a intentarlo dentro de un minuto.",
    ),
    "fr": OptOutWords(
        "Messages au sujet de votre demande",
        "Souhaitez-vous ne plus recevoir de messages automatiques de cette entreprise ?",
        "Ne plus m’envoyer de messages",
        "Vous ne recevrez plus de messages automatiques. Une personne peut encore vous répondre.",
        "M’envoyer de nouveau des messages",
        "Vous recevrez de nouveau des messages.",
        "Trop de tentatives. Veuillez réessayer dans une minute.",
    ),
    "it": OptOutWords(
        "Messaggi sulla sua richiesta",
        "Desidera non ricevere più messaggi automatici da questa azienda?",
        "Non inviarmi più messaggi",
        "Non riceverà più messaggi automatici. Una persona potrà ancora risponderle.",
        "Inviarmi di nuovo messaggi",
        "Riceverà di nuovo messaggi.",
        "Troppi tentativi. Riprovi tra un minuto.",
    ),
    "nl": OptOutWords(
        "Berichten over uw vraag",
        "Wilt u geen automatische berichten meer van dit bedrijf?",
        "Stuur mij geen berichten meer",
        "U krijgt geen automatische berichten meer. Een medewerker kan u nog wel antwoorden.",
        "Stuur mij weer berichten",
        "U krijgt weer berichten.",
        "Dat was te vaak. Probeer het over een minuut opnieuw.",
    ),
    "pt": OptOutWords(
        "Mensagens sobre o seu pedido",
        "Deseja não receber mais mensagens automáticas desta empresa?",
        "Não me enviar mais mensagens",
        "Não receberá mais mensagens automáticas. Uma pessoa ainda lhe pode responder.",
        "Voltar a enviar-me mensagens",
        "Voltará a receber mensagens.",
        "Demasiadas tentativas. Tente novamente dentro de um minuto.",
    ),
}


def language_for(accepted: Sequence[str]) -> str:
    """The first of ``accepted`` (language tags, best first) that there are words in."""
    return next((tag.split("-")[0] for tag in accepted if tag.split("-")[0] in WORDS), FALLBACK)

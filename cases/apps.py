from django.apps import AppConfig


class CasesConfig(AppConfig):
    name = "cases"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate
        from simple_history.signals import pre_create_historical_record

        from .history import stamp_request
        from .services.people import ensure_system_actor

        pre_create_historical_record.connect(stamp_request, dispatch_uid="stamp_request")
        post_migrate.connect(ensure_system_actor, sender=self, dispatch_uid="ensure_system_actor")

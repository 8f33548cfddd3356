from django.apps import AppConfig


class CasesConfig(AppConfig):
    name = "cases"

    def ready(self) -> None:
        from axes.signals import user_locked_out
        from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
        from django.db.models.signals import post_migrate
        from simple_history.signals import pre_create_historical_record

        from . import checks  # noqa: F401
        from .history import stamp_request
        from .services import access
        from .services.people import ensure_system_actor
        from .services.second_factor import on_sign_in

        pre_create_historical_record.connect(stamp_request, dispatch_uid="stamp_request")
        user_logged_in.connect(on_sign_in, dispatch_uid="on_sign_in")
        user_logged_in.connect(access.on_signed_in, dispatch_uid="note_sign_in")
        user_logged_out.connect(access.on_signed_out, dispatch_uid="note_sign_out")
        user_login_failed.connect(access.on_failed, dispatch_uid="note_failure")
        user_locked_out.connect(access.on_locked_out, dispatch_uid="note_lock_out")
        post_migrate.connect(ensure_system_actor, sender=self, dispatch_uid="ensure_system_actor")

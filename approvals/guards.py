"""What the database itself refuses about approvals, as SQL for migrations: the promises that no code may break.

Nobody approves what they proposed, superusers included; nothing becomes approved without the signatures that it needs,
under the very hash that stands on it; nothing is executed without the row that makes a second execution impossible.
Like the triggers of ``cases.guards``, these are ``ENABLE ALWAYS``.
"""

from django.db.migrations import RunSQL

# A person's last word under a hash counts; an editor may sign, but not alone.
SIGNATURES = """
    SELECT count(*) FILTER (WHERE verdict = 'approve'),
           count(*) FILTER (WHERE verdict = 'approve' AND voter_id IS DISTINCT FROM NEW.editor_id)
    INTO signed, others
    FROM (
        SELECT DISTINCT ON (voter_id) voter_id, verdict FROM approvals_actionvote
        WHERE action_id = NEW.id AND payload_hash = NEW.payload_hash AND voter_id <> NEW.proposer_id
        ORDER BY voter_id, id DESC
    ) last_words
"""

SIGNED = RunSQL(
    f"""
    CREATE FUNCTION approvals_action_is_signed() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        signed integer;
        others integer;
    BEGIN
        IF NEW.state = 'approved' AND OLD.state = 'previewed' AND NOT NEW.may_run_alone THEN
            RAISE EXCEPTION 'action % may not run alone', NEW.id USING ERRCODE = 'check_violation';
        ELSIF NEW.state = 'approved' AND OLD.state = 'pending_approval' THEN
            {SIGNATURES};
            IF signed < NEW.required_approvals OR others < 1 THEN
                RAISE EXCEPTION 'action % lacks signatures: % of %', NEW.id, signed, NEW.required_approvals
                    USING ERRCODE = 'check_violation';
            END IF;
        ELSIF NEW.state = 'executing' AND NOT EXISTS (
            SELECT FROM approvals_execution
            WHERE action_id = NEW.id AND payload_hash = NEW.payload_hash AND ended_at IS NULL
        ) THEN
            RAISE EXCEPTION 'action % is executed without its execution', NEW.id USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER signed AFTER UPDATE ON approvals_proposedaction
        FOR EACH ROW WHEN (NEW.state <> OLD.state) EXECUTE FUNCTION approvals_action_is_signed();
    ALTER TABLE approvals_proposedaction ENABLE ALWAYS TRIGGER signed;
    """,
    reverse_sql="DROP TRIGGER signed ON approvals_proposedaction; DROP FUNCTION approvals_action_is_signed();",
)

FOUR_EYES = RunSQL(
    """
    CREATE FUNCTION approvals_vote_is_anothers() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.verdict = 'approve' AND EXISTS (
            SELECT FROM approvals_proposedaction
            WHERE id = NEW.action_id
              AND (proposer_id IN (NEW.voter_id, NEW.on_behalf_of_id) OR payload_hash IS DISTINCT FROM NEW.payload_hash)
        ) THEN
            RAISE EXCEPTION 'nobody approves their own proposal, or anything but what stands on it'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER four_eyes AFTER INSERT ON approvals_actionvote
        FOR EACH ROW EXECUTE FUNCTION approvals_vote_is_anothers();
    ALTER TABLE approvals_actionvote ENABLE ALWAYS TRIGGER four_eyes;
    """,
    reverse_sql="DROP TRIGGER four_eyes ON approvals_actionvote; DROP FUNCTION approvals_vote_is_anothers();",
)

# Its result is what proves that an action ran; a second run would need a second row, which the key refuses.
EXECUTED_ONCE = RunSQL(
    """
    CREATE FUNCTION approvals_execution_stays() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'an execution is never deleted or moved to another action' USING ERRCODE = 'restrict_violation';
    END $$;
    CREATE TRIGGER stays BEFORE DELETE ON approvals_execution
        FOR EACH ROW EXECUTE FUNCTION approvals_execution_stays();
    CREATE TRIGGER stays_with_its_action BEFORE UPDATE ON approvals_execution
        FOR EACH ROW WHEN (OLD.action_id <> NEW.action_id OR OLD.payload_hash <> NEW.payload_hash
                           OR (OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at))
        EXECUTE FUNCTION approvals_execution_stays();
    ALTER TABLE approvals_execution ENABLE ALWAYS TRIGGER stays;
    ALTER TABLE approvals_execution ENABLE ALWAYS TRIGGER stays_with_its_action;
    """,
    reverse_sql="""
    DROP TRIGGER stays ON approvals_execution;
    DROP TRIGGER stays_with_its_action ON approvals_execution;
    DROP FUNCTION approvals_execution_stays();
    """,
)

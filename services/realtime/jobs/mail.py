"""email.send {template, values, address?}: a mail to an address or to an organization's owners.

It goes by SMTP or, without a server, into the mailbox. The job for all owners becomes one job per owner, so that each
address has its own attempts and outcome. An owner who has ended mails of this kind gets none.
"""

from __future__ import annotations

from libs.crypto import Envelope
from libs.jobs import Discard, JobContext, enqueue_many
from services.realtime import operations
from services.realtime.config import RealtimeSettings
from services.realtime.domain.mail_templates import TEMPLATES, MailText, with_way_out
from services.realtime.domain.notifications import KINDS
from services.realtime.outbound.mailer import Mailer, MailRefused
from services.realtime.outbound.unsubscribe import Recipient, UnsubscribeLinks
from services.realtime.storage import mailbox, opt_outs, owners


class SendEmail:
    def __init__(self, settings: RealtimeSettings, envelope: Envelope) -> None:
        self._mailer = Mailer(settings.smtp_url, settings.mail_from) if settings.smtp_url else None
        self._links = UnsubscribeLinks(envelope, settings.console_url)

    async def __call__(self, ctx: JobContext) -> None:
        mail, args = _mail(ctx), ctx.job.args
        if to := args.get("address"):
            await self._send(ctx, to, mail)
            return
        known = await owners.addresses(ctx.db, ctx.job.org_id)
        kind = KINDS.get(args["template"])
        unwilling = await opt_outs.of_owners(ctx.db, ctx.job.org_id, kind) if kind else frozenset()
        if "userId" not in args:
            await self._share_out(ctx, list(known), unwilling)
        elif args["userId"] in unwilling:
            async with ctx.finish({"unsubscribed": True}):
                pass
        elif address := known.get(args["userId"]):
            token = self._links.token(Recipient(ctx.job.org_id, args["userId"], kind)) if kind else ""
            await self._send(ctx, address, mail, token)
        else:
            raise Discard("mail_no_recipient", "The recipient is no owner of this organization any more.")

    async def _share_out(self, ctx: JobContext, user_ids: list[str], unwilling: frozenset[str]) -> None:
        if not user_ids:
            raise Discard("mail_no_recipient", "No address of an owner of this organization is known.")
        willing = [user_id for user_id in user_ids if user_id not in unwilling]
        async with ctx.finish({"recipients": len(willing)}) as connection:
            org_id, args = ctx.job.org_id, ctx.job.args
            jobs = [operations.MAIL.new(org_id, {**args, "userId": user_id}) for user_id in willing]
            await enqueue_many(connection, jobs)

    async def _send(self, ctx: JobContext, address: str, mail: MailText, token: str = "") -> None:
        if token:
            mail = with_way_out(mail, self._links.page(token))
        if self._mailer is not None:
            try:
                await self._mailer.send(ctx.job.id, address, mail, self._links.one_click(token) if token else "")
            except MailRefused as error:
                raise Discard(
                    "mail_refused", f"The mail server refuses the mail for good, with {error.code}."
                ) from None
        async with ctx.finish() as connection:
            if self._mailer is None:
                mail_id = "mail_" + ctx.job.id.rpartition("_")[2]
                await mailbox.add(connection, ctx.job.org_id, mail_id, address, mail.subject, mail.text)


def _mail(ctx: JobContext) -> MailText:
    args = ctx.job.args
    write = TEMPLATES.get(args.get("template", ""))
    if write is None:
        raise Discard("mail_malformed", "No such template of a mail.")
    return write(args["values"])

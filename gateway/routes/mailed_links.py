"""The pages of mailed links: a form whose button sends the link's token, so that a scanner of mails follows no link."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from gateway.http.routing import Route
from gateway.http.schema import AnyQuery, NoBody
from gateway.state import ApiRequest

# Of a page outside the console. Its script alone may run, and may call this origin alone.
POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<h1>{title}</h1>
<p id="about"></p>
<form id="form">
{fields}<p><button id="send">{button}</button></p>
</form>
<p id="result" role="status"></p>
<script src="{path}/page.js"></script>
</html>
"""
_FIELD = '<p><label>{label} <input name="{name}" type="{kind}" autocomplete="{complete}"></label></p>\n'
_SCRIPT = """const page = %s;
const form = document.getElementById("form"), button = document.getElementById("send");
const result = document.getElementById("result"), token = location.hash.slice(1);
async function ask(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: {"Content-Type": "application/json"},
    body: JSON.stringify(body),
  });
  return {ok: answer.ok, status: answer.status, body: answer.status === 204 ? {} : await answer.json()};
}
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  try {
    const fields = Object.fromEntries([...new FormData(form)].filter(([, text]) => text !== ""));
    const answer = await ask(page.action, {token, ...fields});
    const faults = (answer.body.errors ?? []).map((fault) => fault.detail).join(" ");
    result.textContent = answer.ok ? page.done : [answer.body.detail, faults].filter(Boolean).join(" ");
    if (answer.status === 401 && page.signedIn) result.textContent = page.signedIn;
    if ([401, 422, 429].includes(answer.status) || answer.status >= 500) button.disabled = false;
  } catch {
    result.textContent = "The request did not arrive. Try again.";
    button.disabled = false;
  }
});
if (page.preview) ask(page.preview, {token}).then(({ok, body}) => {
  document.getElementById("about").textContent = ok
    ? `${body.organizationName} invites ${body.email} with the role ${body.role}.` : body.detail;
  if (ok && body.hasAccount) form.elements.password.closest("p").remove();
}, () => {});
"""


@dataclass(frozen=True, slots=True)
class LinkPage:
    """The page at `path`: its fields and the link's token go to `action`; `preview` tells what the link offers."""

    path: str
    title: str
    button: str
    action: str
    done: str
    fields: tuple[tuple[str, str, str, str], ...] = ()
    preview: str = ""
    # Said to a browser without a session, where the action needs one.
    signed_in: str = ""

    def html(self) -> str:
        fields = "".join(
            _FIELD.format(name=name, label=label, kind=kind, complete=complete)
            for name, label, kind, complete in self.fields
        )
        return _PAGE.format(title=self.title, button=self.button, path=self.path, fields=fields)

    def script(self) -> str:
        return _SCRIPT % json.dumps(
            {"action": self.action, "done": self.done, "preview": self.preview, "signedIn": self.signed_in}
        )


_NEW_PASSWORD = ("password", "Password", "password", "new-password")
PAGES = (
    LinkPage(
        "/verify-email",
        "Verify your e-mail address",
        "Create my account",
        "/api/register/verify",
        "Your account is there. You can sign in now.",
    ),
    LinkPage(
        "/accept-invitation",
        "Join an organization",
        "Join",
        "/api/invitations/accept",
        "You have joined. You can sign in now.",
        fields=(
            ("firstName", "First name", "text", "given-name"),
            ("lastName", "Last name", "text", "family-name"),
            _NEW_PASSWORD,
        ),
        preview="/api/invitations/preview",
    ),
    LinkPage(
        "/reset-password",
        "Set a new password",
        "Set the password",
        "/api/auth/password/reset",
        "The password is set, and all sessions have ended. You can sign in now.",
        fields=(_NEW_PASSWORD,),
    ),
    LinkPage(
        "/confirm-email",
        "Confirm your new e-mail address",
        "Use this address",
        "/api/auth/email/confirm",
        "You sign in with this address from now on.",
        signed_in="Sign in with your present address in another tab (at /app), then press the button again.",
    ),
)
_BY_PATH: Mapping[str, LinkPage] = {page.path: page for page in PAGES}


async def get_page(request: ApiRequest[AnyQuery, NoBody]) -> Response:
    request.replace_response_header(b"content-security-policy", POLICY.encode())
    html = _BY_PATH[request.path].html()
    return Response(html, 200, {"cache-control": "no-cache"}, "text/html; charset=utf-8")


async def get_script(request: ApiRequest[AnyQuery, NoBody]) -> Response:
    script = _BY_PATH[request.path.removesuffix("/page.js")].script()
    return Response(script, 200, {"cache-control": "no-cache"}, "text/javascript; charset=utf-8")


def page_route(path: str, handler: Any, summary: str) -> Route[Any, Any]:
    return Route(
        "GET", path, handler, summary, tag="Accounts", public=True, limits="read", documented=False, query=AnyQuery
    )


ROUTES = (
    *(page_route(page.path, get_page, "The page of a mailed link") for page in PAGES),
    *(page_route(f"{page.path}/page.js", get_script, "Its script") for page in PAGES),
)

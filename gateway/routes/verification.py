"""The page of a mailed link: a button that sends the link's token, so that a scanner of mails follows no link."""

from typing import Any

from starlette.responses import Response

from gateway.http.routing import Route
from gateway.http.schema import NoBody, NoQuery
from gateway.state import ApiRequest

# Its script alone may run, and may call this origin alone.
_POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Verify your e-mail address</title>
<h1>Verify your e-mail address</h1>
<p><button id="verify">Create my account</button></p>
<p id="result" role="status"></p>
<script src="/verify-email/page.js"></script>
</html>
"""
_SCRIPT = """const button = document.getElementById("verify"), result = document.getElementById("result");
button.addEventListener("click", async () => {
  button.disabled = true;
  try {
    const answer = await fetch("/api/register/verify", {
      method: "POST",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify({token: location.hash.slice(1)}),
    });
    const body = await answer.json();
    result.textContent = answer.ok ? "Your account is there. You can sign in now." : body.detail;
    if (answer.status === 429 || answer.status >= 500) button.disabled = false;
  } catch {
    result.textContent = "The request did not arrive. Try again.";
    button.disabled = false;
  }
});
"""


async def get_page(request: ApiRequest[NoQuery, NoBody]) -> Response:
    request.replace_response_header(b"content-security-policy", _POLICY.encode())
    return Response(_PAGE, 200, {"cache-control": "no-cache"}, "text/html; charset=utf-8")


async def get_script(request: ApiRequest[NoQuery, NoBody]) -> Response:
    return Response(_SCRIPT, 200, {"cache-control": "no-cache"}, "text/javascript; charset=utf-8")


def _page(path: str, handler: Any, summary: str) -> Route[Any, Any]:
    return Route("GET", path, handler, summary, tag="Accounts", public=True, documented=False)


ROUTES = (
    _page("/verify-email", get_page, "The page of a mailed link"),
    _page("/verify-email/page.js", get_script, "Its script"),
)

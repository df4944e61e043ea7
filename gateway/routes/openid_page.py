"""The page to which an OpenID provider sends the browser back: its script sends what the provider answered."""

from starlette.responses import Response

from gateway.http.schema import AnyQuery, NoBody
from gateway.routes.mailed_links import POLICY, page_route
from gateway.state import ApiRequest

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Signing in</title>
<h1>Signing in</h1>
<p id="result" role="status"></p>
<script src="/openid/page.js"></script>
</html>
"""
_SCRIPT = """const asked = new URLSearchParams(location.search), result = document.getElementById("result");
history.replaceState(null, "", location.pathname);
if (asked.has("error")) result.textContent =
  `The provider refused: ${asked.get("error_description") || asked.get("error")}. Begin to sign in again.`;
else fetch("/api/login/openid/complete", {
  method: "POST",
  headers: {"Content-Type": "application/json"},
  body: JSON.stringify({code: asked.get("code") ?? "", state: asked.get("state") ?? ""}),
}).then(async (answer) => {
  const body = await answer.json();
  if (answer.status === 200) location.replace("/app");
  else if (answer.status === 202) location.replace(`/app#challenge=${encodeURIComponent(body.challenge)}`);
  else result.textContent = body.detail;
}, () => { result.textContent = "The request did not arrive. Begin to sign in again."; });
"""


async def get_openid_page(request: ApiRequest[AnyQuery, NoBody]) -> Response:
    request.replace_response_header(b"content-security-policy", POLICY.encode())
    return Response(_PAGE, 200, {"cache-control": "no-store"}, "text/html; charset=utf-8")


async def get_openid_script(request: ApiRequest[AnyQuery, NoBody]) -> Response:
    return Response(_SCRIPT, 200, {"cache-control": "no-cache"}, "text/javascript; charset=utf-8")


ROUTES = (
    page_route("/openid", get_openid_page, "The page to which an OpenID provider sends the browser back"),
    page_route("/openid/page.js", get_openid_script, "Its script"),
)

// A form that a passkey fills in: its button asks the browser, and sends what the browser answers.
// data-options holds the question as JSON, data-begin the address to get one from.

const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

/** Turns the identifiers, which travel as text, into what the browser takes. */
function asQuestion({ publicKey }) {
  const asked = { ...publicKey, challenge: bytes(publicKey.challenge) };
  if (asked.user) asked.user = { ...asked.user, id: bytes(asked.user.id) };
  for (const list of ["allowCredentials", "excludeCredentials"]) {
    if (asked[list]) asked[list] = asked[list].map((each) => ({ ...each, id: bytes(each.id) }));
  }
  return { publicKey: asked };
}

function asText(credential) {
  const { response } = credential;
  const answer = { clientDataJSON: text(response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[name]) answer[name] = text(response[name]);
  }
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response: answer,
    clientExtensionResults: {},
  });
}

async function question(form) {
  if (form.dataset.options) return JSON.parse(form.dataset.options);
  const answer = await fetch(form.dataset.begin, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`begin: ${answer.status}`);
  return answer.json();
}

export default function passkey(form) {
  const button = form.querySelector("[data-passkey]");
  const words = form.querySelector("[data-passkey-words]");
  if (!button || !window.PublicKeyCredential) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.setAttribute("aria-busy", "true");
    words.textContent = "";
    try {
      const asked = asQuestion(await question(form));
      const made = asked.publicKey.user
        ? await navigator.credentials.create(asked)
        : await navigator.credentials.get(asked);
      form.elements.passkey.value = asText(made);
      form.requestSubmit();
    } catch (failure) {
      const known = failure instanceof DOMException;
      words.textContent = known
        ? "The passkey was not used. Nothing has changed; try again."
        : "That did not work. Load the page again.";
      button.removeAttribute("aria-busy");
      if (!known) throw failure;
    }
  });
}

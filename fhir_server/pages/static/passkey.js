// Hands a passkey's answer to the form around it. Source: https://www.w3.org/TR/webauthn-2/#sctn-api
"use strict";

const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const opened = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

async function created(options) {
  const made = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: opened(options.excludeCredentials),
    },
  });
  return answer(made, {
    attestationObject: text(made.response.attestationObject),
    clientDataJSON: text(made.response.clientDataJSON),
  });
}

async function shown(options) {
  const found = await navigator.credentials.get({
    publicKey: { ...options, challenge: bytes(options.challenge), allowCredentials: opened(options.allowCredentials) },
  });
  const { authenticatorData, clientDataJSON, signature, userHandle } = found.response;
  return answer(found, {
    authenticatorData: text(authenticatorData),
    clientDataJSON: text(clientDataJSON),
    signature: text(signature),
    ...(userHandle ? { userHandle: text(userHandle) } : {}),
  });
}

function answer(credential, response) {
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response,
    clientExtensionResults: credential.getClientExtensionResults(),
  });
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const told = form.querySelector("[role=status]");
  const button = form.querySelector("button");
  const field = form.elements.credential || form.elements.passkey;
  if (!window.PublicKeyCredential) {
    told.textContent = "This browser knows no passkeys. Please use another way.";
    button.disabled = true;
    continue;
  }
  form.addEventListener("submit", async (event) => {
    if (field.value) return;
    event.preventDefault();
    button.disabled = true;
    told.textContent = "Follow what your device asks.";
    try {
      const options = JSON.parse(form.dataset.options);
      field.value = await (form.dataset.passkey === "create" ? created(options) : shown(options));
      form.submit();
    } catch (error) {
      told.textContent =
        error.name === "InvalidStateError"
          ? "This device has a passkey for this account already."
          : "That did not work, or it was cancelled. You can try again.";
      button.disabled = false;
    }
  });
}

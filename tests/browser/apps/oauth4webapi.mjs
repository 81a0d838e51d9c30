// A launch with oauth4webapi: prints where to send the browser, reads where it came back to, tells what it got.
import { createInterface } from "node:readline/promises";
import * as oauth from "oauth4webapi";

const [base, id, redirect, scope] = process.argv.slice(2);
const plain = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(base);
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, plain));
const app = { client_id: id };
const verifier = oauth.generateRandomCodeVerifier();
const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
const url = new URL(server.authorization_endpoint);
for (const [name, value] of Object.entries({
  response_type: "code", client_id: id, redirect_uri: redirect, scope, state, nonce, aud: `${base}/fhir`,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
})) url.searchParams.set(name, value);
console.log(url.href);
const lines = createInterface({ input: process.stdin });
const back = new URL(await lines.question(""));
lines.close();
const params = oauth.validateAuthResponse(server, app, back, state);
const answer = await oauth.authorizationCodeGrantRequest(server, app, oauth.None(), params, redirect, verifier, plain);
const told = await oauth.processAuthorizationCodeResponse(server, app, answer, { expectedNonce: nonce, requireIdToken: true });
await oauth.validateApplicationLevelSignature(server, answer, plain);
const again = await oauth.refreshTokenGrantRequest(server, app, oauth.None(), told.refresh_token, plain);
const renewed = await oauth.processRefreshTokenResponse(server, app, again);
const read = async (id) =>
  (await fetch(`${base}/fhir/Patient/${id}`, { headers: { Authorization: `Bearer ${told.access_token}` } })).status;
console.log(JSON.stringify({
  sub: oauth.getValidatedIdTokenClaims(told).sub, patient: told.patient, status: await read("ana"),
  hidden: await read("bo"), renewed: renewed.access_token !== told.access_token,
}));

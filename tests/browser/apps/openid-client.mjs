// A launch with openid-client: prints where to send the browser, reads where it came back to, tells what it got.
import { createInterface } from "node:readline/promises";
import * as client from "openid-client";

const [base, id, redirect, scope] = process.argv.slice(2);
const config = await client.discovery(new URL(base), id, undefined, client.None(), {
  execute: [client.allowInsecureRequests],
});
const verifier = client.randomPKCECodeVerifier();
const [state, nonce] = [client.randomState(), client.randomNonce()];
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: redirect, scope, state, nonce, aud: `${base}/fhir`,
  code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
});
console.log(url.href);
const lines = createInterface({ input: process.stdin });
const back = new URL(await lines.question(""));
lines.close();
const told = await client.authorizationCodeGrant(config, back, {
  pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true,
});
const read = (id) => client.fetchProtectedResource(config, told.access_token, new URL(`${base}/fhir/Patient/${id}`), "GET");
const renewed = await client.refreshTokenGrant(config, told.refresh_token);
console.log(JSON.stringify({
  sub: told.claims().sub, patient: told.patient, status: (await read("ana")).status,
  hidden: (await read("bo")).status, renewed: renewed.access_token !== told.access_token,
}));

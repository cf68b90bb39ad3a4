/** Where an issuer may be: elsewhere only with TLS, since whoever answers there says whose signatures are taken. */

export const issuerUrlLengthMax = 512;

/** What is wrong with it, after "must"; nothing if it will do. */
export function issuerUrlProblem(text: string): string | undefined {
  if (text.length > issuerUrlLengthMax) return `have at most ${issuerUrlLengthMax} characters`;
  const url = URL.parse(text);
  if (url === null) return 'be a URL such as "https://token.actions.githubusercontent.com"';
  if (!isTrusted(url)) return 'begin with "https://"; "http://" only on the server\'s own machine';
  if (url.username !== "" || url.password !== "") return "have no user and password";
  if (url.search !== "" || url.hash !== "") return 'have no "?" and no "#"';
  return undefined;
}

/** Whether what is fetched there comes from who is named there. */
export function isTrusted({ protocol, hostname }: URL): boolean {
  return protocol === "https:" || (protocol === "http:" && loopbackNames.has(hostname));
}

const loopbackNames: ReadonlySet<string> = new Set(["127.0.0.1", "[::1]", "localhost"]);

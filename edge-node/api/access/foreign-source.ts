/**
 * Where a request comes from a web page of another site, through the browser of somebody on this
 * machine: by its `Origin`, or by a name that was made to lead here (DNS rebinding).
 */
export function foreignSource(request: Request): string | undefined {
  const { hostname, host } = new URL(request.url);
  if (!isLoopbackName(hostname)) return hostname;
  const origin = request.headers.get('Origin');
  if (origin === null || (URL.canParse(origin) && new URL(origin).host === host)) return undefined;
  return origin;
}

function isLoopbackName(hostname: string): boolean {
  return ['localhost', '[::1]'].includes(hostname) || /^127(?:\.\d+){3}$/.test(hostname);
}

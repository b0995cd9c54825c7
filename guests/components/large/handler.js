// The HTTP handler of js-http.wasm: the JavaScript engine StarlingMonkey answers requests as a service worker does.
//     /        hello
//     /echo    the request's body, passed on as a stream
//     /json    method, path and headers, sorted
//     /fetch?url=U    the answer of another server
//     /throw   an exception
addEventListener('fetch', (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const url = new URL(request.url);
  switch (url.pathname) {
    case '/':
      return new Response('hello\n', { headers: { 'content-type': 'text/plain' } });
    case '/echo':
      return new Response(request.body, { headers: { 'content-type': 'application/octet-stream' } });
    case '/json': {
      const headers = Object.fromEntries([...request.headers].sort());
      return Response.json({ method: request.method, path: url.pathname + url.search, headers });
    }
    case '/fetch': {
      const other = await fetch(url.searchParams.get('url'));
      return new Response(other.body, { status: other.status });
    }
    case '/throw':
      throw new Error('asked for');
    default:
      return new Response('there is nothing here\n', { status: 404 });
  }
}

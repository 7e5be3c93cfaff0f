export function api(req, res) { res.writeHead(404).end() }

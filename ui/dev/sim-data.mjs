export function sim(req, res) { res.writeHead(404).end() }

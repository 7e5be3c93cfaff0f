package escape

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// keep writes a word into every place that a browser gives a site; find looks
// for it again, and says where it is.
const (
	keep = `(async () => {
  document.cookie = "mot=MOT; max-age=86400; path=/"; localStorage.setItem("mot", "MOT"); history.replaceState("MOT", "");
  await new Promise((a, b) => { const r = indexedDB.open("base"); r.onupgradeneeded = () => r.result.createObjectStore("s");
    r.onsuccess = () => { const t = r.result.transaction("s", "readwrite"); t.objectStore("s").put("MOT", 1); t.oncomplete = a; }; r.onerror = b; });
  await (await caches.open("mots")).put("/mot", new Response("MOT"));
  const f = await (await (await navigator.storage.getDirectory()).getFileHandle("mot", {create: true})).createWritable(); await f.write("MOT"); await f.close();
  await navigator.serviceWorker.register("/film/sw.js", {scope: "/film/"});
  say("kept", "all");
})().catch((e) => say("kept", e));`
	find = `(async () => {
  const seen = [];
  if (document.cookie.includes("MOT")) seen.push("cookie");
  if (localStorage.getItem("mot") === "MOT") seen.push("localStorage");
  if ((await indexedDB.databases()).some((d) => d.name === "base")) seen.push("IndexedDB");
  if (await caches.has("mots")) seen.push("CacheStorage");
  try { await (await navigator.storage.getDirectory()).getFileHandle("mot"); seen.push("OPFS"); } catch {}
  if ((await navigator.serviceWorker.getRegistrations()).length) seen.push("worker");
  say("seen", seen.join(" ") || "nothing");
})().catch((e) => say("seen", "error " + e));`
)

// storageRows keep something of one session for the next. Each shows first, in
// the session itself, that it would be found.
func storageRows() []row {
	return []row{
		{"storage", "what a site keeps", "a site looks for what it kept in the session before", "it finds a thing", by(wipe), func(a *attempt) string {
			word := letters(12)
			ask := func(script, key string) string {
				id := a.open(strings.ReplaceAll(script, "MOT", word))
				v, _ := a.trap.wait(id, key, 5*time.Second)
				return v
			}
			if v := ask(keep, "kept"); v != "all" {
				a.fail("the site cannot keep anything: %q", v)
			}
			if v := ask(find, "seen"); len(strings.Fields(v)) != 6 {
				a.fail("in the same session it finds only: %q", v)
			}
			a.end()
			a.begin()
			if v := ask(find, "seen"); v != "nothing" {
				return v
			}
			return ""
		}},
		{"storage", "a file of the one before", "a program looks for a file that the session before kept", "it is there", by(wipe), func(a *attempt) string {
			path := "/home/session/Downloads/" + letters(9)
			if err := a.plant(a.root(path), "a moi"); err != nil {
				a.fail("%v", err)
			}
			if out := a.inside("read", path); out != "read a moi" {
				a.fail("it is not found in the same session: %s", out)
			}
			a.end()
			a.begin()
			if out := a.inside("read", path); strings.HasPrefix(out, "read") {
				return out
			}
			return ""
		}},
		{"storage", "the clipboard of the one before", "a person pastes what the one before copied", "it is pasted", by(wipe), func(a *attempt) string {
			word := letters(12)
			paste := func() string {
				id := a.open(`document.body.insertAdjacentHTML("beforeend", "<input id=c>"); c.focus(); c.addEventListener("input", () => say("pasted", c.value));`)
				a.press("ctrl+v")
				v, _ := a.trap.wait(id, "pasted", time.Second+a.patience)
				return v
			}
			a.open(`document.body.insertAdjacentHTML("beforeend", "<input id=c value=` + word + `>"); c.select();`)
			a.press("ctrl+c")
			if v := paste(); v != word {
				a.fail("it is not pasted in the same session: %q", v)
			}
			a.end()
			a.begin()
			if v := paste(); v != "" {
				return fmt.Sprintf("%q", v)
			}
			return ""
		}},
		{"storage", "files of the session on the machine", "somebody looks for the session's folder on the machine", "a file of its user is there", by(wipe), func(a *attempt) string {
			path := "/home/session/" + letters(9)
			if err := a.plant(a.root(path), "a moi"); err != nil {
				a.fail("%v", err)
			}
			tree := a.root("/home/session")
			if _, err := os.Stat(a.root(path)); err != nil {
				a.fail("it is not seen from outside: %v", err)
			}
			a.end()
			if e, err := os.ReadDir(tree); err == nil {
				return fmt.Sprintf("%d files are left", len(e))
			}
			return ""
		}},
	}
}

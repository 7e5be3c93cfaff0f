package forensics

import (
	"bytes"

	"borne/scripts/scan"
	"os"
	"path/filepath"
	"regexp"
)

// planter is who puts a canary into a sink.
type planter string

const (
	byPage planter = "page"    // a page of the web, with the browser's own interfaces
	byKeys planter = "keys"    // a person at the keyboard
	byApp  planter = "program" // a program of the session, with its rights
	byRoot planter = "root"    // whatever a session's own processes write for it
	byNone planter = "nobody"
)

// sink is one place where a session leaves something.
type sink struct {
	name string
	by   planter
	// seen is where the raw search must find the canary while the session
	// lives: files, then memory. It is the control: without it an absence
	// proves nothing, and the row says inconclusive.
	seen []string
	// absent says why the sink is not on this machine; nil: it is.
	absent func(h *hall) string
	// left puts a survivor where this sink would leave it.
	left survivor
}

const browser = `^pid \d+ \((chromium|ThreadPool\w*|Chrome_\w+)\)`

// sinks lists them; a canary names its sink by the place in this list.
func sinks() []sink {
	profile := func(path string) string { return `/home/session/profile/Default/` + path }
	return []sink{
		{"cookie", byPage, []string{profile(`(Network/)?Cookies`), browser}, nil, inProfile("Default/Cookies")},
		{"local-storage", byPage, []string{profile(`Local Storage/`), browser}, nil, inProfile("Default/Local Storage/leveldb/000003.log")},
		{"session-storage", byPage, []string{profile(`Session Storage/`), browser}, nil, inProfile("Default/Session Storage/000003.log")},
		{"indexed-db", byPage, []string{profile(`IndexedDB/`), browser}, nil, inProfile("Default/IndexedDB/https_x_0.indexeddb.leveldb/000003.log")},
		{"cache-storage", byPage, []string{profile(`Service Worker/CacheStorage/`), browser}, nil, inProfile("Default/Service Worker/CacheStorage/x/y/z_0")},
		{"origin-files", byPage, []string{profile(`File System/`)}, nil, inProfile("Default/File System/000/t/00/00000000")},
		{"service-worker", byPage, []string{profile(`Service Worker/ScriptCache/`), browser}, nil, inProfile("Default/Service Worker/ScriptCache/x_0")},
		{"http-cache", byPage, []string{profile(`Cache/Cache_Data/`), `Cache/Cache_Data/`}, nil, inProfile("Default/Cache/Cache_Data/x_0")},
		{"address", byPage, []string{profile(`History`), browser}, nil, inProfile("Default/History")},
		{"title", byPage, []string{`\((Xephyr|openbox)\)`, browser}, nil, inProcess("openbox")},
		{"console", byPage, []string{browser}, nil, inProcess("chromium")},
		{"form", byKeys, []string{profile(`Web Data`), browser}, nil, inProfile("Default/Web Data")},
		{"download", byPage, []string{`/home/session/Downloads/`}, nil, inBox("/home/session/Downloads/attestation.txt")},
		{"upload", byPage, []string{profile(`blob_storage/`), browser}, nil, inProfile("Default/blob_storage/x/1")},
		{"pdf-viewer", byPage, []string{browser}, nil, inProcess("chromium")},
		{"clipboard", byKeys, []string{`\(Xephyr\)`, browser}, nil, inProcess("Xephyr")},
		{"primary", byApp, []string{`\((xclip|Xephyr)\)`}, nil, inProcess("xclip")},
		{"name-asked", byPage, []string{browser, `\(borne-kiosk\)`}, nil, inProcess("resolver")},
		{"crash-dump", byPage, []string{browser}, nil, inFile("/var/crash/core.4711")},
		{"gpu-cache", byPage, []string{`/GPUCache/|/GrShaderCache/`, browser}, (*hall).noShaders, inProfile("GrShaderCache/data_1")},
		{"print-title", byApp, []string{`\(borne-kiosk\)`}, nil, inProcess("press")},
		{"print-body", byApp, []string{`\(borne-kiosk\)`}, nil, inUnnamed("print-job")},
		{"cups-spool", byNone, nil, (*hall).noSpool, inFile("/var/spool/cups/d00001-001")},
		{"fontconfig", byApp, []string{`\.cache/fontconfig/`}, nil, inBox("/home/session/.cache/fontconfig/x.cache-8")},
		{"dconf", byApp, []string{`\.config/dconf/user`}, nil, inBox("/home/session/.config/dconf/user")},
		{"recents", byApp, []string{`recently-used\.xbel`}, nil, inBox("/home/session/.local/share/recently-used.xbel")},
		{"tmp", byApp, []string{`root/tmp/`}, nil, inFile("/tmp/borne-forensics-tmp")},
		{"var-tmp", byApp, []string{`root/var/tmp/`}, nil, inFile("/var/tmp/borne-forensics-var-tmp")},
		{"shm", byApp, []string{`root/dev/shm/`}, nil, inFile("/dev/shm/borne-forensics-shm")},
		{"runtime-dir", byRoot, []string{`root/run/user/`}, nil, inRun("user-61010")},
		{"unnamed-file", byApp, []string{` fd \d+ /tmp/.*\(deleted\)`}, nil, inUnnamed("unnamed")},
		{"memfd", byApp, []string{` fd \d+ /memfd:`}, nil, inMemfd()},
		{"shared-memory", byApp, []string{` /SYSV`}, nil, inSegment()},
		{"environment", byApp, []string{`\(sleep\)`}, nil, inEnvironment()},
		{"swap", byApp, []string{`\(swapped\)`}, (*hall).noSwap, inSwap()},
		{"stderr", byRoot, []string{`^read by the sandbox's first process$`}, nil, inLog()},
		{"speech", byNone, nil, (*hall).noSpeech, inProcess("speech-dispatcher")},
		{"agent-log", byNone, nil, (*hall).onlyAfter, inLog()},
		{"agent-journal", byNone, nil, (*hall).onlyAfter, inState("terminal/agent/survivor")},
		{"agent-deleted", byNone, nil, (*hall).onlyAfter, inDeleted("terminal")},
		{"controller-store", byNone, nil, (*hall).onlyAfter, inState("controller/survivor")},
		{"controller-deleted", byNone, nil, (*hall).onlyAfter, inDeleted("controller")},
	}
}

// control compiles where a sink's canary is seen.
func (s sink) control() []*regexp.Regexp {
	var all []*regexp.Regexp
	for _, p := range s.seen {
		all = append(all, regexp.MustCompile(p))
	}
	return all
}

func (h *hall) noSwap() string {
	b, err := os.ReadFile("/proc/swaps")
	if err != nil || len(scan.Swaps(bytes.NewReader(b))) == 0 {
		return "this machine has no swap"
	}
	return ""
}

func (h *hall) noSpool() string {
	if _, err := os.Stat("/var/spool/cups"); err != nil {
		return "no CUPS spool on this machine: a session prints to its own press"
	}
	return "the session's press is its printer: nothing of a session reaches CUPS"
}

// noSpeech asks the session itself: it has neither a bus nor a speech service.
func (h *hall) noSpeech() string {
	for _, p := range h.sessionProcesses() {
		if p.name == "speech-dispatch" || p.name == "at-spi-bus-laun" || p.name == "at-spi2-registr" {
			return ""
		}
	}
	return "no accessibility bus and no speech service run in a session"
}

func (h *hall) noShaders() string {
	if h.shaders == nil || *h.shaders {
		return "" // not known before the first page has asked
	}
	return "the browser runs without a GPU process's shaders (--disable-gpu)"
}

// onlyAfter is of sinks that nothing of a session may ever reach: what the
// others hold must not arrive there.
func (h *hall) onlyAfter() string { return "nothing may write there: searched, not planted" }

func (h *hall) path(name string) string { return filepath.Join(h.dir, name) }

package escape

import (
	"fmt"
	"time"
)

// deviceRows ask, after a real key press, for what a page of a public terminal
// may not have. A question put to the person counts as success: they would say yes.
func deviceRows() []row {
	ask := func(name, js string) row {
		return row{"devices", name, "a page asks for " + name + " after a key press", "it gets it, or the person is asked", by(policy), func(a *attempt) string {
			return a.asked(js)
		}}
	}
	// state is for what this machine has none of: leave to ask is what counts.
	state := func(name, permission string) row {
		return ask(name, `navigator.permissions.query(`+permission+`).then((s) => { if (s.state === "denied") throw s.state; return s.state; })`)
	}
	return []row{
		ask("geolocation", `new Promise((a, b) => navigator.geolocation.getCurrentPosition(a, (e) => e.code === 1 ? b(e.message) : a(e.message)))`),
		ask("notifications", `Notification.requestPermission().then((p) => { if (p !== "granted") throw p; })`),
		state("camera", `{name: "camera"}`),
		state("microphone", `{name: "microphone"}`),
		ask("screen capture", `navigator.mediaDevices.getDisplayMedia()`),
		ask("USB", `navigator.usb.requestDevice({filters: []})`),
		ask("HID", `navigator.hid.requestDevice({filters: []}).then((d) => { if (!d.length) throw "none"; })`),
		ask("serial port", `navigator.serial.requestPort()`),
		state("sensors", `{name: "accelerometer"}`),
		ask("idle detection", `IdleDetector.requestPermission().then((p) => { if (p !== "granted") throw p; })`),
		ask("other screens", `getScreenDetails()`),
		ask("fonts of the machine", `queryLocalFonts().then((f) => { if (!f.length) throw "none"; })`),
		ask("clipboard reading", `navigator.clipboard.readText()`),
		ask("a file by the file API", `showOpenFilePicker()`),
		ask("a new file by the file API", `showSaveFilePicker()`),
		ask("a folder by the file API", `showDirectoryPicker()`),
	}
}

// asked runs js on a key press: it must be refused at once.
func (a *attempt) asked(js string) string {
	id := a.open(`press(() => tell("answer", () => ` + js + `));`)
	a.press("Return")
	v, ok := a.trap.wait(id, "answer", 2*time.Second+a.patience)
	switch {
	case !ok:
		return fmt.Sprintf("it is not refused: somebody is asked; windows %v", a.strangers())
	case v[:2] == "no":
		return ""
	}
	return v
}

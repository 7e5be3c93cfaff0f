// Package usb lets in only what a terminal needs on its USB ports. The kernel
// asks for nothing: a device that is not authorized gets no driver. This
// package has it authorize nothing by itself, reads what each device says it
// is, decides, and writes the decision back (sysfs-bus-usb, "authorized").
package usb

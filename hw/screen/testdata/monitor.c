/* A monitor for Xorg's dummy driver, which has none that can be switched off:
 * with this module loaded the server offers its own DPMS extension, and each
 * level that it sends to the monitor is written to standard error. Only for
 * tests. It takes declarations of its own, so that it needs no headers of Xorg. */
#define _GNU_SOURCE
#include <link.h>
#include <stdint.h>
#include <stdio.h>

struct extension {
	void (*init)(void);
	const char *name;
	int *disable;
};

extern void **xf86Screens, *xf86ScrnToScreen(void *);
extern int noDPMSExtension, xf86DPMSInit(void *, void (*)(void *, int, int), int);
extern void LoadExtensionList(const struct extension *, int, int);

static void set(void *screen, int level, int flags)
{
	fprintf(stderr, "monitor: level %d\n", level);
}

/* find finds the server's own DPMS extension in its table of extensions: it is
 * not exported, and had nothing to do when the server started without monitor. */
static int find(struct dl_phdr_info *i, size_t size, void *found)
{
	for (int k = 0; k < i->dlpi_phnum; k++) {
		const ElfW(Phdr) *p = &i->dlpi_phdr[k];
		if (p->p_type != PT_LOAD || !(p->p_flags & PF_W))
			continue;
		uintptr_t a = ((uintptr_t)i->dlpi_addr + p->p_vaddr + 7) & ~(uintptr_t)7;
		uintptr_t end = (uintptr_t)i->dlpi_addr + p->p_vaddr + p->p_memsz;
		for (; a + sizeof(struct extension) <= end; a += sizeof(void *))
			if (((struct extension *)a)->disable == &noDPMSExtension) {
				*(struct extension **)found = (struct extension *)a;
				return 1;
			}
	}
	return 1; /* the server itself comes first, and is the only one to look in */
}

static void init(void)
{
	struct extension *dpms = NULL;
	dl_iterate_phdr(find, &dpms);
	if (dpms == NULL) {
		fprintf(stderr, "monitor: this server has no DPMS extension\n");
		return;
	}
	xf86DPMSInit(xf86ScrnToScreen(xf86Screens[0]), set, 0);
	dpms->init();
}

static struct extension list[] = {{init, "monitor", NULL}};

static void *setup(void *module, void *options, int *major, int *minor)
{
	LoadExtensionList(list, 1, 0);
	return (void *)1;
}

/* XF86ModuleVersionInfo and XF86ModuleData of Xorg's xf86Module.h. */
static struct {
	const char *name, *vendor;
	uint32_t magic1, magic2, xversion;
	uint8_t major, minor;
	uint16_t patch;
	const char *abiclass;
	uint32_t abi;
	const char *moduleclass;
	uint32_t checksum[4];
} version = {"monitor", "Borne", 0x45766f4c, 0x72466878, 0, 1, 0, 0, "X.Org Server Extension", 0x000a0000, NULL, {0}};

struct {
	void *version, *setup, *teardown;
} monitorModuleData = {&version, setup, NULL};

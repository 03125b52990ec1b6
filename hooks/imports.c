// SPDX-License-Identifier: BSD-2-Clause
/* imports - see imports.h. */
#include "imports.h"

#include <elf.h>
#include <link.h>
#include <string.h>

struct search {
	const char *name;
	const void *const *except;
	bool found;
};

struct table {
	const Elf64_Rela *rela;
	size_t bytes;
};

static bool holds(const struct dl_phdr_info *info, const void *addr)
{
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

		if (info->dlpi_phdr[i].p_type == PT_LOAD && (uintptr_t)addr >= start &&
		    (uintptr_t)addr < start + info->dlpi_phdr[i].p_memsz)
			return true;
	}
	return false;
}

/* The loader has relocated these pointers, but for those of a read-only dynamic section. */
static const void *pointer(const struct dl_phdr_info *info, Elf64_Addr value)
{
	return (const void *)(value < info->dlpi_addr ? info->dlpi_addr + value : value);
}

static bool relocated_against(const struct table *t, const Elf64_Sym *symbols, const char *strings,
			      const char *name)
{
	for (size_t i = 0; i < t->bytes / sizeof(*t->rela); i++)
		if (!strcmp(strings + symbols[ELF64_R_SYM(t->rela[i].r_info)].st_name, name))
			return true;
	return false;
}

static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *s = arg;
	const Elf64_Dyn *d = NULL;
	const Elf64_Sym *symbols = NULL;
	const char *strings = NULL;
	struct table all = {0}, plt = {0};

	(void)size;
	for (const void *const *e = s->except; *e; e++)
		if (holds(info, *e))
			return 0;
	for (unsigned i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			d = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	for (; d && d->d_tag != DT_NULL; d++) {
		switch (d->d_tag) {
		case DT_SYMTAB:
			symbols = pointer(info, d->d_un.d_ptr);
			break;
		case DT_STRTAB:
			strings = pointer(info, d->d_un.d_ptr);
			break;
		case DT_RELA:
			all.rela = pointer(info, d->d_un.d_ptr);
			break;
		case DT_RELASZ:
			all.bytes = d->d_un.d_val;
			break;
		case DT_JMPREL:
			plt.rela = pointer(info, d->d_un.d_ptr);
			break;
		case DT_PLTRELSZ:
			plt.bytes = d->d_un.d_val;
			break;
		default:
			break;
		}
	}
	if (symbols && strings)
		s->found = (all.rela && relocated_against(&all, symbols, strings, s->name)) ||
			   (plt.rela && relocated_against(&plt, symbols, strings, s->name));
	return s->found;
}

bool imports_any(const char *name, const void *const *except)
{
	struct search s = {.name = name, .except = except};

	(void)dl_iterate_phdr(look, &s);
	return s.found;
}

// SPDX-License-Identifier: BSD-2-Clause
/* imports - see imports.h. */
#include "imports.h"

#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>

struct search {
	const char *name;
	const void *const *except;
	const void *inside;
	void (*ours)(void);
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

struct object {
	const Elf64_Sym *symbols;
	const char *strings;
	const uint32_t *gnu_hash;
	const Elf64_Half *versions;
	struct table all, plt;
};

static struct object object_of(const struct dl_phdr_info *info)
{
	const Elf64_Dyn *d = NULL;
	struct object o = {0};

	for (unsigned i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			d = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	for (; d && d->d_tag != DT_NULL; d++) {
		switch (d->d_tag) {
		case DT_SYMTAB:
			o.symbols = pointer(info, d->d_un.d_ptr);
			break;
		case DT_STRTAB:
			o.strings = pointer(info, d->d_un.d_ptr);
			break;
		case DT_GNU_HASH:
			o.gnu_hash = pointer(info, d->d_un.d_ptr);
			break;
		case DT_VERSYM:
			o.versions = pointer(info, d->d_un.d_ptr);
			break;
		case DT_RELA:
			o.all.rela = pointer(info, d->d_un.d_ptr);
			break;
		case DT_RELASZ:
			o.all.bytes = d->d_un.d_val;
			break;
		case DT_JMPREL:
			o.plt.rela = pointer(info, d->d_un.d_ptr);
			break;
		case DT_PLTRELSZ:
			o.plt.bytes = d->d_un.d_val;
			break;
		default:
			break;
		}
	}
	return o;
}

/* The relocation against a name at or after *from; NULL if there is none. */
static const Elf64_Rela *against(const struct object *o, const struct table *t, const char *name,
				 size_t *from)
{
	if (!o->symbols || !o->strings || !t->rela)
		return NULL;
	for (; *from < t->bytes / sizeof(*t->rela); (*from)++) {
		const Elf64_Rela *r = &t->rela[*from];

		if (!strcmp(o->strings + o->symbols[ELF64_R_SYM(r->r_info)].st_name, name)) {
			(*from)++;
			return r;
		}
	}
	return NULL;
}

static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *s = arg;
	struct object o;
	size_t a = 0, b = 0;

	(void)size;
	for (const void *const *e = s->except; *e; e++)
		if (holds(info, *e))
			return 0;
	o = object_of(info);
	s->found = against(&o, &o.all, s->name, &a) || against(&o, &o.plt, s->name, &b);
	return s->found;
}

bool imports_any(const char *name, const void *const *except)
{
	struct search s = {.name = name, .except = except};

	(void)dl_iterate_phdr(look, &s);
	return s.found;
}

static bool read_only_after_relocation(const struct dl_phdr_info *info, uintptr_t addr)
{
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

		if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO && addr >= start &&
		    addr < start + info->dlpi_phdr[i].p_memsz)
			return true;
	}
	return false;
}

/* A relocation that makes a pointer-sized slot hold the function's address, and nothing else. */
static bool is_slot(const Elf64_Rela *r)
{
#if defined(__x86_64__)
	return ELF64_R_TYPE(r->r_info) == R_X86_64_JUMP_SLOT ||
	       ELF64_R_TYPE(r->r_info) == R_X86_64_GLOB_DAT;
#elif defined(__aarch64__)
	return ELF64_R_TYPE(r->r_info) == R_AARCH64_JUMP_SLOT ||
	       ELF64_R_TYPE(r->r_info) == R_AARCH64_GLOB_DAT;
#else
	(void)r;
	return false;
#endif
}

static bool replace_in(const struct dl_phdr_info *info, const struct object *o,
		       const struct table *t, const struct search *s)
{
	const Elf64_Rela *r;
	bool done = false;
	size_t i = 0;

	while ((r = against(o, t, s->name, &i))) {
		void (*_Atomic *slot)(void) = (void *)(info->dlpi_addr + r->r_offset);

		/* Unprotecting other people's memory goes too far. */
		if (!is_slot(r) || read_only_after_relocation(info, (uintptr_t)slot))
			continue;
		atomic_store(slot, s->ours);
		done = true;
	}
	return done;
}

static int replace(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *s = arg;
	struct object o;

	(void)size;
	if (!holds(info, s->inside))
		return 0;
	/* The program itself has no name here. */
	if (!info->dlpi_name || !info->dlpi_name[0])
		return 1;
	o = object_of(info);
	s->found = replace_in(info, &o, &o.plt, s);
	s->found |= replace_in(info, &o, &o.all, s);
	return 1;
}

bool imports_replace(const char *name, const void *inside, void (*ours)(void))
{
	struct search s = {.name = name, .inside = inside, .ours = ours};

	(void)dl_iterate_phdr(replace, &s);
	return s.found;
}

struct span {
	const void *inside;
	uintptr_t start, end;
};

static int measure(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct span *s = arg;

	(void)size;
	if (!holds(info, s->inside))
		return 0;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
		uintptr_t end = start + info->dlpi_phdr[i].p_memsz;

		if (info->dlpi_phdr[i].p_type != PT_LOAD)
			continue;
		if (!s->end || start < s->start)
			s->start = start;
		if (end > s->end)
			s->end = end;
	}
	return 1;
}

bool imports_span(const void *inside, uintptr_t *start, uintptr_t *end)
{
	struct span s = {.inside = inside};

	if (!dl_iterate_phdr(measure, &s))
		return false;
	*start = s.start;
	*end = s.end;
	return true;
}

/* Not the version that a plain name means. */
#define VERSION_HIDDEN 0x8000

static void *definition(const struct dl_phdr_info *info, const struct object *o, uint32_t symbol,
			const char *name)
{
	const Elf64_Sym *s = &o->symbols[symbol];

	if (s->st_shndx == SHN_UNDEF || ELF64_ST_TYPE(s->st_info) != STT_FUNC ||
	    ELF64_ST_BIND(s->st_info) == STB_LOCAL || strcmp(o->strings + s->st_name, name) != 0 ||
	    (o->versions && o->versions[symbol] & VERSION_HIDDEN))
		return NULL;
	return (void *)(info->dlpi_addr + s->st_value);
}

static void *defined_by(const struct dl_phdr_info *info, const char *name)
{
	struct object o = object_of(info);
	const uint32_t *bucket, *chain;
	uint32_t hash = 5381, n, last;

	/* Every object that a Linux distribution builds has one. */
	if (!o.gnu_hash || !o.symbols || !o.strings)
		return NULL;
	for (const char *c = name; *c; c++)
		hash = hash * 33 + (unsigned char)*c;
	/* Header: buckets, first symbol, words of the filter, its shift. */
	if (!o.gnu_hash[0])
		return NULL;
	bucket = o.gnu_hash + 4 + o.gnu_hash[2] * (sizeof(Elf64_Addr) / sizeof(uint32_t));
	chain = bucket + o.gnu_hash[0];
	n = bucket[hash % o.gnu_hash[0]];
	if (n < o.gnu_hash[1])
		return NULL;
	do {
		void *p = NULL;

		last = chain[n - o.gnu_hash[1]];
		if ((last | 1) == (hash | 1))
			p = definition(info, &o, n, name);
		if (p)
			return p;
		n++;
	} while (!(last & 1));
	return NULL;
}

struct next {
	const char *name;
	const void *ours;
	bool passed;
	void *before, *behind;
};

static int look_behind(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct next *n = arg;

	(void)size;
	if (holds(info, n->ours))
		n->passed = true;
	else if (n->passed)
		n->behind = defined_by(info, n->name);
	else if (!n->before)
		n->before = defined_by(info, n->name);
	return n->behind != NULL;
}

void *imports_find(const char *name, const void *ours)
{
	struct next n = {.name = name, .ours = ours};

	(void)dl_iterate_phdr(look_behind, &n);
	return n.behind ? n.behind : n.before;
}

/* SPDX-License-Identifier: MIT */
/*
 * symbols.c - see symbols.h. The path comes from a worker, so the file may be anything: a FIFO, a
 * device, an ELF file whose tables point outside of it. Each table is checked against the file's
 * size before it is read.
 */
#define _GNU_SOURCE
#include "symbols.h"
#include "procfs.h"

#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define UNSIZED_MAX  256
#define NATIVE_CLASS (sizeof(ElfW(Addr)) == 8 ? ELFCLASS64 : ELFCLASS32)

/* ---- pieces of a file ---- */

/*
 * `count` entries of `size` bytes at `at`, or NULL: they are not all in the file, or not aligned as
 * such entries are.
 */
static const void *piece(const struct symbols_file *f, uint64_t at, uint64_t count, size_t size)
{
	if (at > f->size || count > (f->size - at) / size ||
		at % MIN(size, _Alignof(ElfW(Addr))) != 0)
		return NULL;
	return f->bytes + at;
}

static const ElfW(Ehdr) * header(const struct symbols_file *f)
{
	const ElfW(Ehdr) *e = piece(f, 0, 1, sizeof *e);

	if (!e || memcmp(e->e_ident, ELFMAG, SELFMAG) != 0 || e->e_ident[EI_CLASS] != NATIVE_CLASS)
		return NULL;
	return e;
}

static bool is_build_id(const ElfW(Nhdr) * n, const char *name)
{
	return n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 && memcmp(name, "GNU", 4) == 0;
}

/* The build id within a segment of notes. NULL: there is none. */
static const unsigned char *id_in_notes(const unsigned char *at, size_t size, size_t *ret_size)
{
	size_t used = 0;

	while (size - used >= sizeof(ElfW(Nhdr)) + 4) {
		const ElfW(Nhdr) *n = (const void *)(at + used);
		uint64_t id = used + sizeof *n + (((uint64_t)n->n_namesz + 3) & ~UINT64_C(3));
		uint64_t next = id + (((uint64_t)n->n_descsz + 3) & ~UINT64_C(3));

		if (id > size || n->n_descsz > size - id)
			return NULL;
		if (is_build_id(n, (const char *)(n + 1))) {
			*ret_size = n->n_descsz;
			return at + id;
		}
		if (next > size)
			return NULL;
		used = next;
	}
	return NULL;
}

static bool has_build_id(const struct symbols_file *f, const void *id, size_t size)
{
	const ElfW(Ehdr) *e = header(f);
	const ElfW(Phdr) *p = piece(f, e->e_phoff, e->e_phnum, sizeof *p);

	for (unsigned i = 0; p && i < e->e_phnum; i++) {
		const size_t words = p[i].p_filesz / 4; /* notes need no better alignment */
		size_t found = 0;
		const unsigned char *at,
			*notes = p[i].p_type == PT_NOTE ? piece(f, p[i].p_offset, words, 4) : NULL;

		at = notes ? id_in_notes(notes, words * 4, &found) : NULL;
		if (at)
			return MIN(found, size) == size && memcmp(at, id, size) == 0;
	}
	return false;
}

/* ---- opening ---- */

const char *symbols_own_path(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);

	path[MAX(n, (ssize_t)0)] = '\0';
	return n > 0 ? path : program_invocation_short_name;
}

static bool is_own_program(const char *path)
{
	char own[4096];

	return path[0] == '\0' || strcmp(path, symbols_own_path(own, sizeof own)) == 0;
}

/*
 * O_PATH looks at a file without opening it: to open a device may start or rewind something, and
 * this process may have more rights than the worker that named it.
 */
static int open_plain(const char *path)
{
	_cleanup_close_ int seen = open(path, O_PATH | O_CLOEXEC);
	char number[16], link[PROCFS_PATH];
	struct stat st;
	int fd;

	if (seen < 0 || fstat(seen, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	snprintf(number, sizeof number, "fd/%d", seen);
	fd = open(procfs_path(link, 0, number), O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) /* there is no /proc */
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static int map(const char *path, struct symbols_file *ret)
{
	_cleanup_close_ int fd = open_plain(is_own_program(path) ? "/proc/self/exe" : path);
	struct stat st;
	void *p;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || (uint64_t)st.st_size > SIZE_MAX / 2)
		return -ENOEXEC;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*ret = (struct symbols_file){ .bytes = p, .size = (size_t)st.st_size };
	return 0;
}

int symbols_open(
	const char *path, const void *build_id, size_t build_id_size, struct symbols_file *ret)
{
	struct symbols_file f;
	int r = map(path, &f);

	if (r < 0)
		return r;
	if (!header(&f))
		r = -ENOEXEC;
	else if (build_id_size > 0 && !has_build_id(&f, build_id, build_id_size))
		r = -ESTALE;
	if (r < 0)
		symbols_close(&f);
	else
		*ret = f;
	return r;
}

void symbols_close(struct symbols_file *file)
{
	union {
		const unsigned char *bytes;
		void *memory;
	} u = { file->bytes };

	munmap(u.memory, file->size);
}

/* ---- symbols ---- */

struct table {
	const ElfW(Sym) * symbols;
	size_t count;
	const char *names;
	size_t names_size;
};

static void take_name(const struct table *t, const ElfW(Sym) * symbol, struct symbols_place *place)
{
	size_t n = 0;

	while (n < SYMBOLS_NAME - 1 && symbol->st_name + n < t->names_size &&
		t->names[symbol->st_name + n] != '\0') {
		place->function[n] = t->names[symbol->st_name + n];
		n++;
	}
	place->function[n] = '\0';
}

/*
 * Takes the symbol for each place that lies in its function, unless a nearer one was found. A
 * symbol without a size (of assembler) is taken for a small function. Of two symbols at one address
 * the first stays.
 */
static void offer(const struct table *t, const ElfW(Sym) * symbol, struct symbols_place *place,
	uint64_t *best)
{
	uint64_t distance = place->offset - symbol->st_value;

	if (place->offset < symbol->st_value || distance >= *best ||
		distance >= (symbol->st_size > 0 ? symbol->st_size : UNSIZED_MAX))
		return;
	*best = distance;
	place->distance = distance;
	take_name(t, symbol, place);
}

static bool is_function(const ElfW(Sym) * symbol)
{
	unsigned type = symbol->st_info & 0xf;

	return symbol->st_shndx != SHN_UNDEF && symbol->st_value != 0 &&
		(type == STT_FUNC || type == STT_GNU_IFUNC ||
			(type == STT_NOTYPE && symbol->st_size > 0));
}

static void find_one(const struct table *t, struct symbols_place *place)
{
	uint64_t best = UINT64_MAX;

	for (size_t i = 0; i < t->count; i++)
		if (is_function(&t->symbols[i]))
			offer(t, &t->symbols[i], place, &best);
}

static void find_in(const struct table *t, struct symbols_place *places, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (places[i].function[0] == '\0')
			find_one(t, &places[i]);
}

/* The table of a section, with the names that it points to. */
static bool open_table(const struct symbols_file *f, const ElfW(Shdr) * sections, size_t count,
	const ElfW(Shdr) * section, struct table *ret)
{
	const ElfW(Shdr) *names = section->sh_link < count ? &sections[section->sh_link] : NULL;

	if (!names)
		return false;
	*ret = (struct table){ .count = section->sh_size / sizeof(ElfW(Sym)),
		.names_size = names->sh_size };
	ret->symbols = piece(f, section->sh_offset, ret->count, sizeof(ElfW(Sym)));
	if (names->sh_offset > f->size || names->sh_size > f->size - names->sh_offset)
		return false;
	ret->names = (const char *)f->bytes + names->sh_offset;
	return ret->symbols != NULL;
}

void symbols_find(const struct symbols_file *file, struct symbols_place *places, size_t count)
{
	static const unsigned types[] = { SHT_SYMTAB, SHT_DYNSYM };
	const ElfW(Ehdr) *e = header(file);
	const ElfW(Shdr) *sections = piece(file, e->e_shoff, 1, sizeof *sections);
	size_t n = e->e_shnum;
	struct table t;

	if (e->e_shoff == 0 || !sections)
		return;
	if (n == 0)
		n = sections[0].sh_size; /* more sections than the header's field can count */
	if (!piece(file, e->e_shoff, n, sizeof *sections))
		return;
	for (size_t k = 0; k < ARRAY_SIZE(types); k++)
		for (size_t i = 0; i < n; i++)
			if (sections[i].sh_type == types[k] &&
				open_table(file, sections, n, &sections[i], &t))
				find_in(&t, places, count);
}

/* ---- this process's own image ---- */

struct search {
	uint64_t address, offset;
	const char *path;
};

static int look_into(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *s = arg;
	uint64_t offset = s->address - info->dlpi_addr;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_LOAD && offset >= p->p_vaddr &&
			offset - p->p_vaddr < p->p_memsz) {
			s->offset = offset;
			s->path = info->dlpi_name;
			return 1;
		}
	}
	return 0;
}

bool symbols_in_image(uint64_t address, const char **ret_path, uint64_t *ret_offset)
{
	struct search s = { .address = address };

	if (dl_iterate_phdr(look_into, &s) == 0)
		return false;
	*ret_path = s.path;
	*ret_offset = s.offset;
	return true;
}

// SPDX-License-Identifier: BSD-2-Clause
/* compare_json - see compare_json.h. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare_json.h"

/* The quote that ends the string whose first quote is at p, or the end of the text. */
static const char *string_end(const char *p)
{
	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
	}
	return p;
}

static const char *skip_space(const char *p)
{
	while (isspace((unsigned char)*p))
		p++;
	return p;
}

const char *json_member(const char *text, const char *name)
{
	size_t len = strlen(name);
	int depth = 0;

	for (const char *p = text; *p; p++) {
		if (*p == '{' || *p == '[') {
			depth++;
		} else if (*p == '}' || *p == ']') {
			/* The end of the object that text began with, perhaps inside a larger one. */
			if (--depth <= 0)
				return NULL;
		} else if (*p == '"') {
			const char *end = string_end(p);
			const char *colon = *end ? skip_space(end + 1) : end;

			if (depth == 1 && *colon == ':' && (size_t)(end - p - 1) == len &&
			    !strncmp(p + 1, name, len))
				return skip_space(colon + 1);
			if (!*end)
				return NULL;
			p = end;
		}
	}
	return NULL;
}

double json_number(const char *text, const char *name)
{
	const char *value = json_member(text, name);
	char *end;

	if (!value)
		return NAN;
	/* strtod also takes "nan" and "infinity", which are no numbers here. */
	double v = strtod(value, &end);

	return end != value && (isdigit((unsigned char)*value) || *value == '-') ? v : NAN;
}

double json_benchmark(const char *text, const char *benchmark, const char *name)
{
	const char *list = json_member(text, "benchmarks");
	size_t len = strlen(benchmark);

	for (const char *p = list; p && (p = strchr(p, '{')); p++) {
		const char *found = json_member(p, "name");

		if (found && *found == '"' && !strncmp(found + 1, benchmark, len) &&
		    found[1 + len] == '"')
			return json_number(p, name);
	}
	return NAN;
}

/* Behind the value that begins at p: at the comma or the brace that follows it. */
static const char *value_end(const char *p)
{
	int depth = 0;

	for (; *p; p++) {
		if (*p == '"') {
			p = string_end(p);
			if (!*p)
				break;
		} else if (*p == '{' || *p == '[') {
			depth++;
		} else if (depth && (*p == '}' || *p == ']')) {
			depth--;
		} else if (!depth && (*p == ',' || *p == '}')) {
			break;
		}
	}
	return p;
}

/* Without white space that is not in a string. */
static void write_packed(FILE *f, const char *p, const char *end)
{
	while (p < end) {
		const char *next = p + 1;

		if (*p == '"') {
			next = string_end(p);
			next += *next != '\0';
		}
		if (!isspace((unsigned char)*p))
			fwrite(p, 1, (size_t)(next - p), f);
		p = next;
	}
}

void json_write_members(FILE *f, const char *text, const char *without)
{
	size_t len = without ? strlen(without) : 0;
	const char *p = strchr(text, '{'), *comma = "";

	while (p && (p = strchr(p, '"'))) {
		const char *name = p, *end = string_end(name);
		const char *colon = *end ? skip_space(end + 1) : end;

		if (*colon != ':')
			break;
		p = value_end(colon + 1);
		if (without && (size_t)(end - name - 1) == len && !strncmp(name + 1, without, len))
			continue;
		fputs(comma, f);
		write_packed(f, name, p);
		comma = ",";
	}
}

void json_write_string(FILE *f, const char *text)
{
	fputc('"', f);
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\')
			fputc('\\', f);
		if ((unsigned char)*p < ' ')
			fprintf(f, "\\u%04x", (unsigned)*p);
		else
			fputc(*p, f);
	}
	fputc('"', f);
}

void json_write_number(FILE *f, double v)
{
	if (isfinite(v))
		fprintf(f, "%.10g", v);
	else
		fputs("null", f);
}

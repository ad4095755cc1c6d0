/* SPDX-License-Identifier: MIT */
/*
 * html_page.c - the frame of a page, and text in it. The page's own policy forbids all that it does
 * not have itself, so a mistake here cannot make a browser fetch something.
 */
#include "figure.h"
#include "html.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

void html_bytes(FILE *file, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		switch (c) {
		case '<': fputs("&lt;", file); break;
		case '>': fputs("&gt;", file); break;
		case '&': fputs("&amp;", file); break;
		case '"': fputs("&quot;", file); break;
		case '\'': fputs("&#39;", file); break;
		default:
			/* a text of other bytes may be no UTF-8: each of them becomes a sign */
			if ((c < 0x20 && c != '\n' && c != '\t') || c >= 0x7f)
				fputs("&#xfffd;", file);
			else
				fputc(c, file);
		}
	}
}

void html_text(FILE *file, const char *text) { html_bytes(file, text, strlen(text)); }

void html_figure(FILE *file, const char *text)
{
	const char *micro = strstr(text, " us");

	if (!micro) {
		html_text(file, text);
		return;
	}
	html_bytes(file, text, (size_t)(micro - text));
	fputs("&nbsp;&micro;s", file);
	html_text(file, micro + 3);
}

void html_time(FILE *file, double ns) { html_figure(file, figure_time(ns).text); }

void html_begin(FILE *file, const char *title)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<meta name=\"color-scheme\" content=\"light dark\">\n"
	      "<link rel=\"icon\" href=\"data:,\">\n<title>",
		file);
	html_text(file, title);
	fputs("</title>\n<style>\n", file);
	fputs(html_style, file);
	fputs("</style>\n</head>\n<body>\n<main>\n", file);
}

int html_end(FILE *file)
{
	fputs("</main>\n<script>\n", file);
	fputs(html_script, file);
	fputs("</script>\n</body>\n</html>\n", file);
	return fflush(file) || ferror(file) ? -EIO : 0;
}

void html_section(FILE *file, const char *id, const char *title, const char *note)
{
	fprintf(file, "<section id=\"%s\">\n<h2>", id);
	html_text(file, title);
	fputs("</h2>\n", file);
	if (note) {
		fputs("<p class=\"note\">", file);
		html_text(file, note);
		fputs("</p>\n", file);
	}
}

void html_section_end(FILE *file) { fputs("</section>\n", file); }

void html_tiles(FILE *file, const struct html_tile *tiles, unsigned count)
{
	fputs("<div class=\"tiles\">\n", file);
	for (unsigned i = 0; i < count; i++) {
		fprintf(file, "<div class=\"tile%s\"><b>", tiles[i].bad ? " bad" : "");
		html_figure(file, tiles[i].figure);
		fputs("</b><span>", file);
		html_text(file, tiles[i].word);
		fputs("</span></div>\n", file);
	}
	fputs("</div>\n", file);
}

void html_row(FILE *file, const char *name, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fputs("<tr><th>", file);
	html_text(file, name);
	fputs("</th><td>", file);
	html_text(file, text);
	fputs("</td></tr>\n", file);
}

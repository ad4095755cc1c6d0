/* SPDX-License-Identifier: MIT */
/* keys.c - see keys.h. A sequence comes in one piece: a terminal writes it so. */
#include "keys.h"

#include <string.h>

#define DELAY_LEAST 0.1
#define DELAY_MOST  60

static void edit(struct view *view, char key)
{
	size_t n = strlen(view->filter);

	if (key == '\r' || key == '\n') {
		view->editing = false;
	} else if (key == 0x7f || key == '\b') {
		view->filter[n > 0 ? n - 1 : 0] = '\0';
	} else if (key == 0x15) { /* Ctrl-U */
		view->filter[0] = '\0';
	} else if ((unsigned char)key >= ' ' && n + 1 < sizeof view->filter) {
		view->filter[n] = key;
		view->filter[n + 1] = '\0';
	}
}

static void scroll(struct view *view, size_t by, bool down)
{
	if (down)
		view->scroll += by;
	else
		view->scroll -= by < view->scroll ? by : view->scroll;
}

/* The next choice: all pools, the first one ... the last one. */
static void next_pool(struct view *view, uint32_t pools, bool forward)
{
	int count = (int)pools + 1, at = view->choice.pool + 1;

	at = (at + (forward ? 1 : count - 1)) % count;
	view->choice.pool = at - 1;
	view->scroll = 0;
}

static void next_sort(struct view *view)
{
	view->choice.sort = (enum rows_sort)((view->choice.sort + 1) % ROWS_SORTS);
	view->scroll = 0;
}

static void change_delay(struct view *view, double factor)
{
	double delay = view->delay_s * factor;

	view->delay_s = delay < DELAY_LEAST ? DELAY_LEAST : delay > DELAY_MOST ? DELAY_MOST : delay;
}

/* False: quit */
static bool act(struct view *view, char key, uint32_t pools, size_t page)
{
	switch (key) {
	case 'q':
	case 'Q': return false;
	case '?':
	case 'h': view->help = !view->help; break;
	case ' ': view->paused = !view->paused; break;
	case 's': next_sort(view); break;
	case 'r': view->choice.reversed = !view->choice.reversed; break;
	case 'd': view->deaths = !view->deaths; break;
	case '/': view->editing = true; break;
	case 'p':
	case 'P': next_pool(view, pools, key == 'p'); break;
	case 'j': scroll(view, 1, true); break;
	case 'k': scroll(view, 1, false); break;
	case '\006': scroll(view, page, true); break;  /* Ctrl-F */
	case '\002': scroll(view, page, false); break; /* Ctrl-B */
	case 'g': view->scroll = 0; break;
	case 'G': view->scroll = SIZE_MAX / 2; break;
	case '+': change_delay(view, 0.5); break;
	case '-': change_delay(view, 2); break;
	default: break;
	}
	return true;
}

/* Which letter does the same as a sequence that begins with ESC; 0: none. */
static char letter_of(const char *keys, size_t count, size_t *ret_used)
{
	static const struct {
		const char *sequence;
		char letter;
	} known[] = {
		{ "\033[A", 'k' },
		{ "\033[B", 'j' },
		{ "\033OA", 'k' },
		{ "\033OB", 'j' },
		{ "\033[5~", '\002' },
		{ "\033[6~", '\006' },
		{ "\033[H", 'g' },
		{ "\033[F", 'G' },
		{ "\033[1~", 'g' },
		{ "\033[4~", 'G' },
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		size_t n = strlen(known[i].sequence);

		if (n > count || memcmp(keys, known[i].sequence, n) != 0)
			continue;
		*ret_used = n;
		return known[i].letter;
	}
	/* another sequence ends with a letter or "~" */
	*ret_used = 1;
	if (count > 1 && (keys[1] == '[' || keys[1] == 'O'))
		for (*ret_used = 2; *ret_used < count && keys[*ret_used] < '@';)
			++*ret_used;
	*ret_used += *ret_used > 1 && *ret_used < count;
	return 0;
}

bool keys_take(struct view *view, const char *keys, size_t count, uint32_t pools, size_t page)
{
	size_t used = 1;

	for (size_t i = 0; i < count; i += used) {
		char key = keys[i];

		used = 1;
		if (key == '\033') {
			key = letter_of(keys + i, count - i, &used);
			if (used == 1) { /* Esc itself */
				view->filter[0] = '\0';
				view->editing = view->help = false;
			}
			if (key == 0 || view->editing)
				continue;
		}
		if (view->editing)
			edit(view, key);
		else if (!act(view, key, pools, page))
			return false;
	}
	return true;
}

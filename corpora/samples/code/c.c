/*
 * A byte ring buffer with a capacity that is a power of two, and a small
 * logger on top of it that keeps only the most recent lines.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RING_CAPACITY 4096u
#define RING_MASK (RING_CAPACITY - 1u)
#define MIN(a, b) ((a) < (b) ? (a) : (b))

struct ring {
	uint8_t *data;
	size_t head;	/* total bytes written; wraps harmlessly */
	size_t tail;	/* total bytes read */
};

static bool ring_init(struct ring *r)
{
	r->head = r->tail = 0;
	r->data = malloc(RING_CAPACITY);
	return r->data != NULL;
}

static size_t ring_used(const struct ring *r)
{
	return r->head - r->tail;
}

/* Copies up to n bytes out, in at most two pieces; returns how many. */
static size_t ring_read(struct ring *r, void *out, size_t n)
{
	n = MIN(n, ring_used(r));
	size_t at = r->tail & RING_MASK;
	size_t first = MIN(n, RING_CAPACITY - at);
	memcpy(out, r->data + at, first);
	memcpy((uint8_t *)out + first, r->data, n - first);
	r->tail += n;
	return n;
}

/* Drops the oldest whole lines until n more bytes fit. */
static void ring_make_room(struct ring *r, size_t n)
{
	while (RING_CAPACITY - ring_used(r) < n) {
		uint8_t c;
		do {
			c = r->data[r->tail++ & RING_MASK];
		} while (c != '\n' && ring_used(r) > 0);
	}
}

static bool ring_log(struct ring *r, const char *line)
{
	size_t n = strlen(line);
	if (n == 0 || n >= RING_CAPACITY || strchr(line, '\n') != NULL)
		return false;
	ring_make_room(r, n + 1);
	for (size_t i = 0; i < n; i++)
		r->data[r->head++ & RING_MASK] = (uint8_t)line[i];
	r->data[r->head++ & RING_MASK] = '\n';
	return true;
}

int main(void)
{
	struct ring log;
	char line[64], text[RING_CAPACITY + 1];
	unsigned checksum = 0x811C9DC5u;

	if (!ring_init(&log)) {
		perror("ring_init");
		return EXIT_FAILURE;
	}
	for (int i = 1; i <= 10000; i++) {
		snprintf(line, sizeof line, "%05d temperature=%d.%d", i, 18 + i % 7, i % 10);
		assert(ring_log(&log, line));
	}
	text[ring_read(&log, text, RING_CAPACITY)] = '\0';
	for (const char *p = text; *p != '\0'; p++)
		checksum = (checksum ^ (uint8_t)*p) * 16777619u;	/* FNV-1a */
	printf("first kept: %.5s, bytes: %zu, checksum: %08x\n", text, strlen(text), checksum);
	free(log.data);
	return EXIT_SUCCESS;
}

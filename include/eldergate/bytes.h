/* bytes: a slice of memory that owns nothing. */
#ifndef ELDERGATE_BYTES_H
#define ELDERGATE_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct eg_bytes {
	const uint8_t *p;
	size_t len;
};

struct eg_bytes eg_bytes_of(const char *text); /* NULL is empty */

#endif

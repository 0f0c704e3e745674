/* halves: a connector made of a source and a target that know nothing of each other.
 *
 * EG_CONNECTOR_HALVES(s, t) defines struct eg_connector, of which one half is set, with the functions that
 * call s_open, s_close, s_next, s_settle, s_check, and t_open, t_close, t_deliver, t_check;
 * EG_CONNECTOR_FUNCTIONS names them in a struct eg_connector_type. */
#ifndef EG_ADAPTERS_HALVES_H
#define EG_ADAPTERS_HALVES_H

#include "eldergate/connector.h"

#include <stdlib.h>

#define EG_CONNECTOR_HALVES(s, t)                                                                            \
	struct eg_connector {                                                                                \
		struct s *source; /* one of the two */                                                       \
		struct t *target;                                                                            \
	};                                                                                                   \
	static void close_half(struct eg_connector *c)                                                       \
	{                                                                                                    \
		if (!c)                                                                                      \
			return;                                                                              \
		s##_close(c->source);                                                                        \
		t##_close(c->target);                                                                        \
		free(c);                                                                                     \
	}                                                                                                    \
	static enum eg_rc open_half(struct eg_connector **out, const struct eg_connector_options *o,         \
	                            bool target, struct eg_err *err)                                         \
	{                                                                                                    \
		struct eg_connector *c = calloc(1, sizeof *c);                                               \
		*out = NULL;                                                                                 \
		if (!c)                                                                                      \
			return eg_fail(err, EG_NO_MEMORY, "no memory for a connector");                      \
		enum eg_rc rc = target ? t##_open(&c->target, o, err) : s##_open(&c->source, o, err);        \
		if (rc)                                                                                      \
			close_half(c);                                                                       \
		else                                                                                         \
			*out = c;                                                                            \
		return rc;                                                                                   \
	}                                                                                                    \
	static enum eg_rc open_source(struct eg_connector **out, const struct eg_connector_options *o,       \
	                              struct eg_err *err)                                                    \
	{                                                                                                    \
		return open_half(out, o, false, err);                                                        \
	}                                                                                                    \
	static enum eg_rc open_target(struct eg_connector **out, const struct eg_connector_options *o,       \
	                              struct eg_err *err)                                                    \
	{                                                                                                    \
		return open_half(out, o, true, err);                                                         \
	}                                                                                                    \
	static enum eg_rc check_half(const struct eg_settings *settings, bool target, struct eg_err *err)    \
	{                                                                                                    \
		return target ? t##_check(settings, err) : s##_check(settings, err);                         \
	}                                                                                                    \
	static enum eg_rc next(struct eg_connector *c, int64_t mono_deadline_us, struct eg_in *out,          \
	                       struct eg_err *err)                                                           \
	{                                                                                                    \
		return s##_next(c->source, mono_deadline_us, out, err);                                      \
	}                                                                                                    \
	static enum eg_rc settle(struct eg_connector *c, const struct eg_verdict *v, unsigned n,             \
	                         struct eg_err *err)                                                         \
	{                                                                                                    \
		return s##_settle(c->source, v, n, err);                                                     \
	}                                                                                                    \
	static enum eg_rc deliver(struct eg_connector *c, const struct eg_delivery *d, unsigned n,           \
	                          struct eg_delivery_result *results, int64_t mono_deadline_us,              \
	                          struct eg_err *err)                                                        \
	{                                                                                                    \
		return t##_deliver(c->target, d, n, results, mono_deadline_us, err);                         \
	}

#define EG_CONNECTOR_FUNCTIONS                                                                               \
	.open_source = open_source, .open_target = open_target, .close = close_half, .next = next,           \
	.settle = settle, .deliver = deliver, .check = check_half

#endif

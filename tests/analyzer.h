/* analyzer: what clang's static analyzer is told, since it sees one source file at a time.
 *
 * Included by force behind eldergate/err.h, by `make analyze` only: the functions that report a failure
 * return the code they were given, so a caller never goes on as if all were well. */
#ifndef EG_TESTS_ANALYZER_H
#define EG_TESTS_ANALYZER_H

#define eg_fail(err, rc, ...)              ((void)(eg_fail)((err), (rc), __VA_ARGS__), (rc))
#define eg_fail_field(err, rc, field, ...) ((void)(eg_fail_field)((err), (rc), (field), __VA_ARGS__), (rc))
#define eg_fail_errno(err, ...)            ((void)(eg_fail_errno)((err), __VA_ARGS__), EG_IO)

#endif

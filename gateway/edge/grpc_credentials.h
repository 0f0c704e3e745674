/* grpc_credentials: the server's side of mutual TLS, from files that may be replaced while it runs.
 *
 * A client certificate is required, and must stem from the client authorities; who it is follows from its pin
 * alone. New files are taken with the next handshake once they are complete; a bad pair leaves the last good
 * one in force. Thread: any, after open. */
#ifndef EG_EDGE_GRPC_CREDENTIALS_H
#define EG_EDGE_GRPC_CREDENTIALS_H

#include "eldergate/err.h"

#include <grpc/grpc_security.h>

struct eg_credentials;

enum eg_rc eg_credentials_open(struct eg_credentials **out, const char *certificate, const char *key,
                               const char *client_ca, struct eg_err *err);
/* Would the files as they are now be taken? Changes nothing. */
enum eg_rc eg_credentials_check(const struct eg_credentials *c, struct eg_err *err);
grpc_server_credentials *eg_credentials_core(struct eg_credentials *c); /* the caller's to release */
void eg_credentials_close(struct eg_credentials *c); /* after the server is gone; NULL is fine */

#endif

/* http_settings: the rows that the settings of an HTTP source and of an HTTP target have in common. */
#ifndef EG_ADAPTERS_HTTP_SETTINGS_H
#define EG_ADAPTERS_HTTP_SETTINGS_H

#include "eldergate/settings.h"

/* One row each. */
#define EG_HTTP_SET(name, type, preset, low, high, choices, doc)                                             \
	{                                                                                                    \
		name, type, false, preset, low, high, choices, doc                                           \
	}
#define EG_HTTP_TEXT(name, preset, most, doc) EG_HTTP_SET(name, EG_SET_TEXT, preset, 0, most, NULL, doc)
#define EG_HTTP_LIST(name, preset, most, doc) EG_HTTP_SET(name, EG_SET_LIST, preset, 0, most, NULL, doc)
#define EG_HTTP_CHOICE(name, preset, choices, doc)                                                           \
	EG_HTTP_SET(name, EG_SET_CHOICE, preset, 0, 0, choices, doc)
#define EG_HTTP_INT(name, preset, low, high, doc) EG_HTTP_SET(name, EG_SET_INT, preset, low, high, NULL, doc)
#define EG_HTTP_TIME(name, preset, low, high, doc)                                                           \
	EG_HTTP_SET(name, EG_SET_TIME, preset, low, high, NULL, doc)

/* What is asked and how it is signed. */
#define EG_HTTP_REQUEST_SETTINGS                                                                             \
	{"url", EG_SET_TEXT, true, NULL, 8, 2000, NULL, "where to ask; ${names} are filled in"},             \
	        EG_HTTP_SET("plain_http", EG_SET_BOOL, "false", 0, 0, NULL,                                  \
	                    "allows http://, which carries records and secrets in clear"),                   \
	        EG_HTTP_LIST("query", NULL, 50, "query parameters, each name=value"),                        \
	        EG_HTTP_LIST("headers", NULL, 50, "headers, each \"Name: value\""),                          \
	        EG_HTTP_TEXT("body", "", 65536, "the request's body; empty: none"),                          \
	        EG_HTTP_CHOICE("body_format", "json", "json|xml|form",                                       \
	                       "how values are escaped in the body, and its Content-Type"),                  \
	        EG_HTTP_TEXT("rid", "", 200, "${rid}: who asks"),                                            \
	        EG_HTTP_TEXT("sid", "", 200, "${sid}: the service that is asked"),                           \
	        EG_HTTP_SET("secret", EG_SET_SECRET, "", 0, 4096, NULL,                                      \
	                    "key of the signature, or a token as ${secret}"),                                \
	        EG_HTTP_CHOICE("sign", "none", "none|hmac-sha256|hmac-sm3", "what makes ${sign}"),           \
	        EG_HTTP_TEXT("sign_text", "${sid}${rid}${rtime}", 2000, "what is signed; ${body} too"),      \
	        EG_HTTP_CHOICE("sign_form", "base64", "base64|hex", "how ${sign} is written"),               \
	        EG_HTTP_CHOICE("sign_time", "ms", "ms|s", "${rtime}: milliseconds or seconds since 1970"),   \
	        EG_HTTP_LIST("sign_headers",                                                                 \
	                     "gjgxjhpt_rid: ${rid},gjgxjhpt_sid: ${sid},gjgxjhpt_rtime: "                    \
	                     "${rtime},gjgxjhpt_sign: ${sign}",                                              \
	                     20, "headers that a signature adds")

/* How a new secret is fetched before the old one ends. */
#define EG_HTTP_SECRET_SETTINGS                                                                              \
	EG_HTTP_TEXT("renew_url", "", 2000,                                                                  \
	             "where a new secret is fetched at the start and before the last one ends; signed with " \
	             "`secret`"),                                                                            \
	        EG_HTTP_CHOICE("renew_method", "POST", "GET|POST", "method of the renewal"),                 \
	        EG_HTTP_LIST("renew_query", NULL, 50, "as query, of the renewal"),                           \
	        EG_HTTP_LIST("renew_headers", NULL, 50, "as headers, of the renewal"),                       \
	        EG_HTTP_TEXT("renew_body", "", 65536, "as body, of the renewal"),                            \
	        EG_HTTP_SET("renew_secret_path", EG_SET_TEXT, "/data/secret", 1, 200, NULL,                  \
	                    "where the new secret stands in the answer"),                                    \
	        EG_HTTP_TEXT("renew_expiry_path", "", 200,                                                   \
	                     "where its end stands in the answer; empty: renew_every"),                      \
	        EG_HTTP_CHOICE("renew_expiry", "seconds", "seconds|minutes|at-s|at-ms",                      \
	                       "what the end is: from now, or an instant since 1970"),                       \
	        EG_HTTP_TIME("renew_every", "15m", 1000000, 30 * 86400000000,                                \
	                     "life of a secret whose answer names no end"),                                  \
	        EG_HTTP_TIME("renew_before", "1m", 0, 86400000000,                                           \
	                     "how long before its end a secret is renewed"),                                 \
	        EG_HTTP_TEXT("secret_file", "", 1000,                                                        \
	                     "keeps the renewed secret over restarts, mode 0600; empty: in memory only")

/* How an answer is read and judged. */
#define EG_HTTP_ANSWER_SETTINGS                                                                              \
	EG_HTTP_CHOICE("answer_format", "json", "json|xml", "what the answer is"),                           \
	        EG_HTTP_LIST("content_types", NULL, 20,                                                      \
	                     "media types taken as that; preset: every one that names json or xml"),         \
	        EG_HTTP_CHOICE("inner_format", "none", "none|json|xml",                                      \
	                       "the answer's document stands as text in another: what the inner one is"),    \
	        EG_HTTP_TEXT("inner_path", "", 200,                                                          \
	                     "where that text stands; all other paths are of the inner document"),           \
	        EG_HTTP_TEXT("charset", "", 40,                                                              \
	                     "of the answer, whatever it says itself; empty: as it says, else UTF-8"),       \
	        EG_HTTP_TEXT(                                                                                \
	                "code_path", "", 200,                                                                \
	                "where the answer's own result code stands; empty: the HTTP status alone counts"),   \
	        EG_HTTP_LIST("ok_codes", "0,200", 50, "codes of success"),                                   \
	        EG_HTTP_LIST("exists_codes", NULL, 50, "codes that say: delivered before"),                  \
	        EG_HTTP_LIST("exists_statuses", NULL, 20,                                                    \
	                     "HTTP statuses that say: delivered before, such as 409; without it they are "   \
	                     "refusals"),                                                                    \
	        EG_HTTP_LIST("retry_codes", NULL, 50, "codes that say: try again later"),                    \
	        EG_HTTP_LIST("auth_codes", NULL, 50, "codes that say: the secret or signature is not good"), \
	        EG_HTTP_LIST("quota_codes", NULL, 50, "codes that say: no more calls today")

/* What the peer may cost. */
#define EG_HTTP_LIMIT_SETTINGS                                                                               \
	EG_HTTP_TIME("connect_timeout", "10s", 10000, 600000000,                                             \
	             "to resolve the name, connect and shake hands"),                                        \
	        EG_HTTP_TIME("timeout", "60s", 10000, 3600000000, "a whole exchange"),                       \
	        EG_HTTP_SET(                                                                                 \
	                "slow_bytes", EG_SET_SIZE, "100", 0, 1 << 30, NULL,                                  \
	                "bytes a second below which, over slow_time, an exchange is given up; 0: never"),    \
	        EG_HTTP_TIME("slow_time", "20s", 1000000, 3600000000, "see slow_bytes"),                     \
	        EG_HTTP_SET("max_response", EG_SET_SIZE, "16MiB", 1024, 256 << 20, NULL,                     \
	                    "longest answer's body; a longer one is cut off"),                               \
	        EG_HTTP_INT("redirects", "0", 0, 5,                                                          \
	                    "redirects followed for GET, within the same host only"),                        \
	        EG_HTTP_TEXT("proxy", "", 500, "HTTP proxy; the environment's are ignored"),                 \
	        EG_HTTP_TEXT("ca_file", "", 1000,                                                            \
	                     "authorities that sign the peer's certificate, PEM; empty: the system's"),      \
	        EG_HTTP_TEXT("client_certificate", "", 1000, "our certificate, PEM"),                        \
	        EG_HTTP_TEXT("client_key", "", 1000, "its key, PEM"),                                        \
	        EG_HTTP_INT("retries", "4", 0, 20, "of one request, before it is an error"),                 \
	        EG_HTTP_TIME("retry_first", "500ms", 1000, 3600000000,                                       \
	                     "pause before the first retry; doubles, and varies by half"),                   \
	        EG_HTTP_TIME("retry_max", "30s", 1000, 3600000000, "longest such pause"),                    \
	        EG_HTTP_TIME("retry_after_max", "10m", 1000, 86400000000,                                    \
	                     "longest pause that the peer's Retry-After can ask for"),                       \
	        EG_HTTP_INT("rate_per_second", "0", 0, 10000, "calls a second; 0: no limit"),                \
	        EG_HTTP_INT("rate_burst", "1", 1, 10000, "calls at once after a pause"),                     \
	        EG_HTTP_INT("calls_per_day", "0", 0, 1000000000,                                             \
	                    "calls from midnight to midnight, Asia/Shanghai; 0: no limit"),                  \
	        EG_HTTP_INT("calls_reserved", "0", 0, 1000000000, "of them kept from full lists"),           \
	        EG_HTTP_TEXT("upstream", "", 80,                                                             \
	                     "whose quota it is: sections of this mapping with the same name share the "     \
	                     "calls they have used; empty: the host of url")

#define EG_HTTP_PEER_SETTINGS                                                                                \
	EG_HTTP_REQUEST_SETTINGS, EG_HTTP_SECRET_SETTINGS, EG_HTTP_ANSWER_SETTINGS, EG_HTTP_LIMIT_SETTINGS

#endif

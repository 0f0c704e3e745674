// people: batches of made-up people for the tests.
#ifndef ELDERGATE_CLIENT_PEOPLE_H
#define ELDERGATE_CLIENT_PEOPLE_H

#include "submitter.h"

namespace eldergate::client
{

// A person's number is valid in form, and of nobody.
v1::Record registration(int n);

// n batches of size records each, from a first person on.
Submitter::Next batches(int first, int n, int size);

} // namespace eldergate::client

#endif

/* mutant: planted faults, one per rule of claims, joins or views, that the generated histories must catch.
 *
 * A build with -DEG_MUTANT=n plants number n; elsewhere EG_MUTANT is 0 and nothing of it is compiled in.
 * tests/mutants builds each one in turn and demands that test_history fails. Numbers run from 1 without gaps.
 */
#ifndef EG_MODEL_MUTANT_H
#define EG_MODEL_MUTANT_H

#ifndef EG_MUTANT
#define EG_MUTANT 0
#endif
#define EG_MUTANT_IS(n) (EG_MUTANT == (n))

#endif

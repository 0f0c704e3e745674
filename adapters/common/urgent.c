/* urgent: see urgent.h. */
#include "common/urgent.h"

#include "eldergate/v1/elder.pb-c.h"

bool eg_urgent(enum eg_section section, const struct eg_mapped *row)
{
	if (row->void_op || section == EG_FUNERAL)
		return true;
	if (section != EG_REGISTRATION)
		return false;
	Eldergate__V1__Record *r = eldergate__v1__record__unpack(NULL, row->record.len, row->record.p);
	bool urgent = false;
	if (r && r->section_case == ELDERGATE__V1__RECORD__SECTION_REGISTRATION)
		switch (r->registration->registration_status) {
		case ELDERGATE__V1__REGISTRATION_STATUS__REGISTRATION_STATUS_CANCELLED_DEATH:
		case ELDERGATE__V1__REGISTRATION_STATUS__REGISTRATION_STATUS_RESTORED:
			urgent = true;
			break;
		default:
			break;
		}
	eldergate__v1__record__free_unpacked(r, NULL);
	return urgent;
}

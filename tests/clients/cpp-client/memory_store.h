// memory_store: the simplest store: the newest version of a person wins.
#ifndef ELDERGATE_CLIENT_MEMORY_STORE_H
#define ELDERGATE_CLIENT_MEMORY_STORE_H

#include <map>

#include "subscriber.h"

namespace eldergate::client
{

// What is known of one person.
struct Person {
	std::int64_t version = 0;
	v1::LifeStatus life = v1::LIFE_STATUS_UNSPECIFIED;
	std::map<std::string, v1::FieldValue> fields;
	std::string merged_into;
};

bool operator==(const Person &a, const Person &b);

class MemoryStore : public Store
{
      public:
	std::optional<v1::Cursor> cursor() const override;
	void put(const std::string &person, std::int64_t version, v1::LifeStatus life, const Fields &fields,
	         const std::string &merged_into) override;
	void replace(const std::string &person, std::int64_t version, v1::LifeStatus life,
	             const Fields &fields, const std::string &merged_into) override;
	void forget(const std::string &person, std::int64_t version) override;
	void forget_all() override;
	void save(const v1::Cursor &next) override;

	std::map<std::string, Person> people; // by person_ref
	std::optional<v1::Cursor> reached;
	std::size_t applied = 0, repeated = 0; // versions that were new, that were not
};

} // namespace eldergate::client

#endif

#include "memory_store.h"

#include <algorithm>

#include <google/protobuf/util/message_differencer.h>

namespace eldergate::client
{

bool operator==(const Person &a, const Person &b)
{
	return a.version == b.version && a.life == b.life && a.merged_into == b.merged_into &&
	       std::equal(a.fields.begin(), a.fields.end(), b.fields.begin(), b.fields.end(),
	                  [](const auto &f, const auto &g) {
		                  return f.first == g.first &&
		                         google::protobuf::util::MessageDifferencer::Equals(f.second,
		                                                                            g.second);
	                  });
}

std::optional<v1::Cursor> MemoryStore::cursor() const
{
	return reached;
}

void MemoryStore::put(const std::string &person, std::int64_t version, v1::LifeStatus life,
                      const Fields &fields, const std::string &merged_into)
{
	Person &known = people[person]; // versions begin with 1
	if (known.version >= version) {
		repeated++;
		return;
	}
	known.version = version;
	known.life = life;
	known.merged_into = merged_into;
	for (const v1::FieldEntry &field : fields) {
		if (field.has_value())
			known.fields[field.field()] = field.value();
		else
			known.fields.erase(field.field());
	}
	applied++;
}

void MemoryStore::replace(const std::string &person, std::int64_t version, v1::LifeStatus life,
                          const Fields &fields, const std::string &merged_into)
{
	Person &known = people[person];
	if (known.version < version)
		known.fields.clear();
	put(person, version, life, fields, merged_into);
}

void MemoryStore::forget(const std::string &person, std::int64_t version)
{
	auto known = people.find(person);
	if (known != people.end() && known->second.version < version)
		people.erase(known);
}

void MemoryStore::forget_all()
{
	people.clear();
}

void MemoryStore::save(const v1::Cursor &next)
{
	reached = next;
}

} // namespace eldergate::client

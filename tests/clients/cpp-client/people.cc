#include "people.h"

#include <array>
#include <cstdio>

namespace eldergate::client
{

v1::Record registration(int n)
{
	constexpr std::array names{"安", "宁", "康", "福", "寿", "春", "秋", "松", "柏", "梅", "兰", "竹"};
	constexpr std::array weights{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
	char digits[64];
	std::snprintf(digits, sizeof digits, "330302%04d%02d%02d%03d", 1930 + n % 40, 1 + n / 40 % 12,
	              1 + n / 480 % 28, 1 + 2 * (n / 13440 % 400));
	int sum = 0;
	for (std::size_t i = 0; i < weights.size(); i++)
		sum += weights[i] * (digits[i] - '0');
	v1::Record record;
	record.set_source_key("K-" + std::to_string(n));
	record.set_version(1);
	record.set_operation(v1::OPERATION_ASSERT);
	v1::Registration &person = *record.mutable_registration();
	person.set_id_number(std::string(digits) + "10X98765432"[sum % 11]);
	person.set_id_type(v1::ID_TYPE_RESIDENT);
	person.set_name(std::string("王") + names[static_cast<std::size_t>(n % 12)] +
	                names[static_cast<std::size_t>(n / 12 % 12)]);
	person.set_address_region("330302");
	person.set_registration_status(v1::REGISTRATION_STATUS_NORMAL);
	return record;
}

Submitter::Next batches(int first, int n, int size)
{
	return [=, at = 0]() mutable -> std::optional<Batch> {
		if (at == n)
			return std::nullopt;
		Batch batch{"b" + std::to_string(at), {}};
		for (int i = 0; i < size; i++)
			batch.records.push_back(registration(first + at * size + i));
		at++;
		return batch;
	};
}

} // namespace eldergate::client

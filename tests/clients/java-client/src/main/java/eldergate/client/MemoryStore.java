package eldergate.client;

import eldergate.v1.Elder.FieldEntry;
import eldergate.v1.Elder.FieldValue;
import eldergate.v1.Elder.LifeStatus;
import eldergate.v1.Feed.Cursor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The simplest store: the newest version of a person wins. */
public final class MemoryStore implements Store {
	/** What is known of a person. */
	public record Person(long version, LifeStatus life, Map<String, FieldValue> fields, String mergedInto) {
	}

	private final Map<String, Person> people = new HashMap<>();
	private int applied;
	private int repeated;
	private Cursor cursor;

	public Map<String, Person> people() {
		return people;
	}

	/** How many puts said something new. */
	public int applied() {
		return applied;
	}

	/** How many puts were of a version that was known. */
	public int repeated() {
		return repeated;
	}

	@Override
	public Cursor cursor() {
		return cursor;
	}

	@Override
	public void put(String person, long version, LifeStatus life, List<FieldEntry> fields, String mergedInto) {
		Person known = people.get(person);
		upsert(person, version, life, known == null ? Map.of() : known.fields(), fields, mergedInto);
	}

	@Override
	public void replace(String person, long version, LifeStatus life, List<FieldEntry> fields, String mergedInto) {
		upsert(person, version, life, Map.of(), fields, mergedInto);
	}

	/** held: what stays of the person's fields unless it is told otherwise. */
	private void upsert(String person, long version, LifeStatus life, Map<String, FieldValue> held, List<FieldEntry> fields,
			String mergedInto) {
		if (!news(person, version)) {
			repeated++;
			return;
		}
		var values = new HashMap<String, FieldValue>(held);
		for (FieldEntry field : fields) {
			if (field.hasValue()) {
				values.put(field.getField(), field.getValue());
			} else {
				values.remove(field.getField());
			}
		}
		people.put(person, new Person(version, life, values, mergedInto));
		applied++;
	}

	@Override
	public void forget(String person, long version) {
		if (news(person, version)) {
			people.remove(person);
		}
	}

	private boolean news(String person, long version) {
		Person known = people.get(person);
		return known == null || known.version() < version;
	}

	@Override
	public void forgetAll() {
		people.clear();
	}

	@Override
	public void save(Cursor next) {
		cursor = next;
	}
}

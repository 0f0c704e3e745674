package eldergate.client;

import eldergate.client.Submitter.Batch;
import eldergate.v1.Elder.IdType;
import eldergate.v1.Elder.Operation;
import eldergate.v1.Elder.Record;
import eldergate.v1.Elder.Registration;
import eldergate.v1.Elder.RegistrationStatus;
import java.util.Iterator;
import java.util.List;
import java.util.stream.IntStream;

/** Made-up people: each has a number that is valid in form, and of nobody. */
final class People {
	private static final String NAMES = "安宁康福寿春秋松柏梅兰竹";
	private static final int[] WEIGHTS = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};

	private People() {
	}

	/** So many batches of size records each, from a first person on. */
	static Iterator<Batch> batches(int first, int count, int size) {
		return IntStream.range(0, count).mapToObj(at -> new Batch("b" + at,
			IntStream.range(0, size).mapToObj(i -> registration(first + at * size + i)).toList())).iterator();
	}

	/** One batch: the first of them has moved there. */
	static Iterator<Batch> moved(int version, String region) {
		Record.Builder record = registration(0).toBuilder().setVersion(version);
		record.getRegistrationBuilder().setAddressRegion(region);
		return List.of(new Batch("to " + region, List.of(record.build()))).iterator();
	}

	private static Record registration(int n) {
		String digits = String.format("330302%04d%02d%02d%03d", 1930 + n % 40, 1 + n / 40 % 12, 1 + n / 480 % 28,
			1 + 2 * (n / 13440 % 400));
		int sum = IntStream.range(0, WEIGHTS.length).map(i -> WEIGHTS[i] * (digits.charAt(i) - '0')).sum();
		var registration = Registration.newBuilder()
			.setIdNumber(digits + "10X98765432".charAt(sum % 11))
			.setIdType(IdType.ID_TYPE_RESIDENT)
			.setName("王" + NAMES.charAt(n % 12) + NAMES.charAt(n / 12 % 12))
			.setAddressRegion("330302")
			.setRegistrationStatus(RegistrationStatus.REGISTRATION_STATUS_NORMAL);
		return Record.newBuilder().setSourceKey("K-" + n).setVersion(1).setOperation(Operation.OPERATION_ASSERT)
			.setRegistration(registration).build();
	}
}

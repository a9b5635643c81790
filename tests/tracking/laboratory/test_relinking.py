from walking_people import annotated, predicted

from tracking.laboratory.relinking import Relinking, relinking

TRUTH = [{1: 0, 2: 100}, {1: 2}, {1: 4}, {1: 6, 2: 110}, {1: 8, 2: 112}]


def test_who_comes_back_under_the_old_id():
    same = [{5: 0, 6: 101}, {5: 2}, {5: 4}, {5: 6, 6: 109}, {5: 8, 6: 112}]
    assert relinking(annotated(TRUTH), predicted(same)) == Relinking(1, 1)
    other = [{5: 0, 6: 101}, {5: 2}, {5: 4}, {5: 6, 7: 109}, {5: 8, 7: 112}]
    assert relinking(annotated(TRUTH), predicted(other)) == Relinking(1, 0)


def test_what_does_not_count():
    late = [{5: 0, 6: 101}, {5: 2}, {5: 4}, {5: 6}, {5: 8, 6: 112}]  # not found at once
    assert relinking(annotated(TRUTH), predicted(late)) == Relinking(0, 0)
    assert relinking(annotated(TRUTH), predicted([{}] * 5)) == Relinking(0, 0)
    same = [{5: 0, 6: 101}, {5: 2}, {5: 4}, {5: 6, 6: 109}, {5: 8, 6: 112}]
    assert relinking(annotated(TRUTH), predicted(same), longest=1) == Relinking(0, 0)
    assert relinking(annotated(TRUTH), predicted(same), longest=2) == Relinking(1, 1)
    assert Relinking(1, 0) + Relinking(2, 2) == Relinking(3, 2)

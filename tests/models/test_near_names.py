from cvtool.models.near_names import near_names, unknown_name


def test_the_nearest_come_first_whatever_their_case():
    assert near_names("DGO", ["cat", "dog", "Dogs"])[0] == "dog"
    assert near_names("xyz", ["cat", "dog"]) == []


def test_the_message_offers_near_names_or_else_all():
    assert unknown_name("class", "dgo", ["cat", "dog"]) == 'unknown class "dgo"; did you mean dog?'
    assert unknown_name("class", "xyz", ["cat", "dog"]).endswith("choose from cat, dog")
    assert unknown_name("model", "xyz", []).endswith("there is none")
